"""A read shard's schema, version by version."""
