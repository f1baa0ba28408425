"""The lab's adapter of the saga."""
