"""The servers of others that a stack stands on: how each is made, configured and started."""
