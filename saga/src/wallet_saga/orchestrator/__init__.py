"""The orchestrator: the public API, and the coordinator that drives every saga to its end."""
