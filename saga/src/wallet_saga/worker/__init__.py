"""The wallet worker: reads and writes one shard. At any time one worker per shard writes; others are standbys."""
