"""The components of each stack, their addresses, and their starting order."""
