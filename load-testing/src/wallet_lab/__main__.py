"""`python -m wallet_lab` is what `./lab` runs."""

from wallet_lab.cli import main

main()
