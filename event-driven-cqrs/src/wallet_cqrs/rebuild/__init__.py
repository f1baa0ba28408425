"""Builds a fresh read model from position 0 while the live one is in use, and swaps or compares the two."""
