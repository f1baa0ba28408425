"""The lab's adapter of event-driven CQRS."""
