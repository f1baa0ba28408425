"""Shared test support for the event-driven architecture."""
