"""One Postgres per shard. Two-phase commit makes a transfer between shards atomic."""
