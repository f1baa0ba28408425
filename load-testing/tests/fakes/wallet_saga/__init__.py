"""Stands in for the real saga in the lab's own tests: real HTTP servers, no wallets. First on PYTHONPATH, it wins."""
