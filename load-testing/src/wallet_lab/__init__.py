"""The lab: starts the architectures as real processes on this machine, supervises them and tests them."""
