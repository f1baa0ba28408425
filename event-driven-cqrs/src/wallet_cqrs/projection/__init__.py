"""The projection: applies the events of each partition to its read model, each event exactly once."""
