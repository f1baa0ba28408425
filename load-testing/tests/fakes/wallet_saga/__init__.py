"""A fake of the saga for the lab's tests, first on PYTHONPATH: real HTTP servers without wallets."""
