"""Monitoring of both architectures: Grafana's dashboards as code, and exporters of each component's resources."""
