"""The control: a target that answers the same HTTP calls without doing the work."""
