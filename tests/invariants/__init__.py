"""The guarantees (DESIGN §2) under concurrency and faults, over HTTP alone."""
