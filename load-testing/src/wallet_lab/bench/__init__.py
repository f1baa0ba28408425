"""Measurements: seed, warm up, load with k6, sample, settle, audit; a run that fails its audit has no figures."""
