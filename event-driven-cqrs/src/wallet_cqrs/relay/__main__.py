"""`python -m wallet_cqrs.relay` runs a relay."""

from wallet_cqrs.relay.main import main

main()
