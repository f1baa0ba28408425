"""Tests of dashboards, alerts and traces, with both architectures under load."""
