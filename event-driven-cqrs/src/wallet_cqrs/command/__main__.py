"""`python -m wallet_cqrs.command` runs a command service."""

from wallet_cqrs.command.main import main

main()
