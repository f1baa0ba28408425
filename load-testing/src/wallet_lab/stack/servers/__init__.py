"""The third-party servers of a stack: how each is installed, configured and started."""
