"""The migrations of a baseline's database. Run them with `python -m wallet_baselines.migrations`."""
