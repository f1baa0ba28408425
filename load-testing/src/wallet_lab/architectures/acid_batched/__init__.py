"""The baseline acid-batched as the lab sees it."""
