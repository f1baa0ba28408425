"""The database schemas of event store and read shards. Run `python -m wallet_cqrs.migrations events|read`."""
