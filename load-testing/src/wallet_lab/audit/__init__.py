"""Audits: the books of a stack at rest against the promises, and against what its clients were told."""
