"""Audits: what the databases say about the promises, once the load is over. Each violation is one sentence."""
