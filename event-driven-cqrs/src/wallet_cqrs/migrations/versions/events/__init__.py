"""The event store's schema, version by version."""
