"""The lab's adapter of the baseline two-phase."""
