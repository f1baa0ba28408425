"""The relay: publishes the events of the log to the projections through the broker."""
