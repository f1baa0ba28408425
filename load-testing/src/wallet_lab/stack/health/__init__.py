"""Whether a stack is ready, degraded or idle."""
