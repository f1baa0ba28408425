"""The lab: starts the architectures as real processes on this machine, watches over them and tests them."""
