"""The event-driven architecture: commands append events, projections make of them what queries read."""
