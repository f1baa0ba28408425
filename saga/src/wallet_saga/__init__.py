"""The saga architecture: an orchestrator, and a wallet worker in front of each Postgres shard."""
