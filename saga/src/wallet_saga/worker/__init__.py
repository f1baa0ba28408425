"""The wallet worker: the only writer of one shard."""
