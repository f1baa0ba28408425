"""Entry point of `python -m wallet_baselines.acid_batched`."""

from wallet_baselines.acid_batched.main import main

main()
