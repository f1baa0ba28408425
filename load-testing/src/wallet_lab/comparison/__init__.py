"""The comparison: runs both architectures under the same loads and faults, with repeats, and reports the results."""
