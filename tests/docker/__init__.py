"""The compose files, and both stacks on Docker."""
