"""`python -m wallet_saga.worker`."""

from wallet_saga.worker.main import main

main()
