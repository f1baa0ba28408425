"""Measurements: seed, warm up, load with k6, sample, settle, audit. A run with a failed audit has no figures."""
