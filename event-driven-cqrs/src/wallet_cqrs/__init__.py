"""The event-driven architecture: commands append events, projections build read models, queries read them."""
