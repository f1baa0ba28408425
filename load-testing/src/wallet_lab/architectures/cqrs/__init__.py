"""Event-driven CQRS as the lab sees it."""
