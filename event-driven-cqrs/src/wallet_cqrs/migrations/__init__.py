"""The schemas of the event store and of a read shard. Run with `python -m wallet_cqrs.migrations events|read`."""
