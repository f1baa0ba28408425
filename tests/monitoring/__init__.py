"""Tests of the dashboards, rules and traces."""
