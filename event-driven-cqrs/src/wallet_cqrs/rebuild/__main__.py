"""`python -m wallet_cqrs.rebuild` builds and swaps; with `--verify` it builds and compares."""

from wallet_cqrs.rebuild.main import main

main()
