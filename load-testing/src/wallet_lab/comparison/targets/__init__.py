"""`./lab bench --targets`: measures the performance targets of the architectures."""
