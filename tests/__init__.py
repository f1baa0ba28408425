"""Tests of the whole workspace: black box (conformance, invariants), documentation and house rules."""
