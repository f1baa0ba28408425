"""The lab's adapter of the baseline acid-batched."""
