"""Entry point of `python -m wallet_baselines.acid`."""

from wallet_baselines.acid.main import main

main()
