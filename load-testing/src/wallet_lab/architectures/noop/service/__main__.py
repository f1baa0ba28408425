"""Entry point of `python -m wallet_lab.architectures.noop.service`."""

from wallet_lab.architectures.noop.service.main import main

main()
