"""`python -m wallet_cqrs.query` runs a query service."""

from wallet_cqrs.query.main import main

main()
