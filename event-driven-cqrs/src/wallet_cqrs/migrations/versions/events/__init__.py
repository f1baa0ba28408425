"""The migrations of the event store's schema, in order."""
