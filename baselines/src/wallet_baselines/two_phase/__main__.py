"""Entry point of `python -m wallet_baselines.two_phase`."""

from wallet_baselines.two_phase.main import main

main()
