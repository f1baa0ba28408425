"""Grafana's dashboards as code: what each shows, and the JSON that Grafana reads."""
