"""The domain, pure: commands to a shard, their decisions, the state of a batch, and the saga of a transfer. No I/O."""
