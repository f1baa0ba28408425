"""Measurements: seed, warm up, load with k6, wait for quiescence, audit. A failed audit removes the figures."""
