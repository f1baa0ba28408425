"""The command service: the only one that appends to the log."""
