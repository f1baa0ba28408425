"""The baseline two-phase as the lab sees it."""
