"""Simulates reports whose truth is known, and counts the errors of the decisions that the lab makes."""
