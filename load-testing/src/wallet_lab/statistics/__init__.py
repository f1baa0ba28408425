"""Draws the conclusions from the figures of a report: intervals, tests and verdicts. Pure."""
