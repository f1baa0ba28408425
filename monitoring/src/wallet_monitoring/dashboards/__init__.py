"""Grafana's dashboards as code: their panels, and the JSON for Grafana."""
