"""A stack: start, supervise, inspect and stop its components, as native processes or on Docker."""
