"""Stands in for the real saga in the lab's own tests, first on PYTHONPATH: real HTTP servers, no wallets."""
