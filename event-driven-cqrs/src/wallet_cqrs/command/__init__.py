"""The command service: the only service that appends to the event log."""
