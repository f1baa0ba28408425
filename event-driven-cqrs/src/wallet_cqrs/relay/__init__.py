"""The relay: tells the projections, through the broker, what was appended to the log."""
