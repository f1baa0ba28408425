"""The workspace's own tests: black box (conformance, invariants) and house rules."""
