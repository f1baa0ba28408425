"""Code shared by the baselines' tests."""
