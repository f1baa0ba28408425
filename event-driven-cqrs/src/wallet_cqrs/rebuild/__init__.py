"""Builds a fresh read model from position 0 beside the live one, under load, and swaps or compares the two."""
