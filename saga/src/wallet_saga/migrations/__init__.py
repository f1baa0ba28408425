"""A shard's schema and how it comes to be. Run with `python -m wallet_saga.migrations`."""
