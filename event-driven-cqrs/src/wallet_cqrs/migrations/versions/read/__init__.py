"""The migrations of a read shard's schema, in order."""
