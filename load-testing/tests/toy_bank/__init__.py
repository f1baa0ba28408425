"""A new architecture that runs the service of a baseline, because faults run under a load with the whole contract."""
