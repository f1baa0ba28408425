"""Faults under load: one component is broken while clients go on, and what they saw becomes a recovery."""
