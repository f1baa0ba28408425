"""The migrations of a shard's schema. Run them with `python -m wallet_saga.migrations`."""
