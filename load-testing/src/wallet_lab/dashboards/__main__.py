"""`python -m wallet_lab.dashboards` writes the dashboards to monitoring/grafana/dashboards."""

from wallet_lab.dashboards.catalogue import DASHBOARDS, FOLDER
from wallet_lab.dashboards.grafana import dashboard_json
from wallet_lab.stack.home import checkout


def main() -> None:
    """Write every dashboard to its file."""
    for dashboard in DASHBOARDS:
        (checkout() / FOLDER / f"{dashboard.uid}.json").write_text(dashboard_json(dashboard))


if __name__ == "__main__":
    main()
