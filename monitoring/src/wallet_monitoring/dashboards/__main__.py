"""`python -m wallet_monitoring.dashboards` writes the dashboards to monitoring/grafana/dashboards."""

from wallet_monitoring.dashboards.catalogue import DASHBOARDS, FOLDER
from wallet_monitoring.dashboards.grafana import dashboard_json


def main() -> None:
    """Writes every dashboard to its file."""
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.uid}.json").write_text(dashboard_json(dashboard))


if __name__ == "__main__":
    main()
