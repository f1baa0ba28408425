"""Starts, watches, restarts and stops the processes of a native stack, and keeps their logs."""
