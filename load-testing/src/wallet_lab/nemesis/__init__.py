"""Faults under load: breaks one component while clients continue, and measures the recovery."""
