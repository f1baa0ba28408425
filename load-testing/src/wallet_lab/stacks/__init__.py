"""Which parts each stack has, where they listen, and in what order they start."""
