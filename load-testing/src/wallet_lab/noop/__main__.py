"""Entry point of `python -m wallet_lab.noop`."""

from wallet_lab.noop.main import main

main()
