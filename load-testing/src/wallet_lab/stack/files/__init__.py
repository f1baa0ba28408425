"""The files of a stack: its home, its markers, its passwords, and the account that owns its databases."""
