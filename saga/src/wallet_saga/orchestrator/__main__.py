"""`python -m wallet_saga.orchestrator`."""

from wallet_saga.orchestrator.main import main

main()
