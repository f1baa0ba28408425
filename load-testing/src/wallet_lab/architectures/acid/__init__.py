"""The lab's adapter of the baseline acid, and the common part of all baselines."""
