"""The wallet by event sourcing and CQRS: an empty room until the saga stands."""
