"""The projection: makes of the events what queries read, a partition at a time, each event exactly once."""
