"""The baseline acid as the lab sees it, and what it shares with the other baselines."""
