"""Audits: compare the ledger of a quiescent stack with its guarantees and with its clients' responses."""
