"""All dashboards and the folder of their files."""

from pathlib import Path

from wallet_monitoring.dashboards.comparison import COMPARISON
from wallet_monitoring.dashboards.cqrs import CQRS
from wallet_monitoring.dashboards.infrastructure import INFRASTRUCTURE
from wallet_monitoring.dashboards.k6 import K6
from wallet_monitoring.dashboards.saga import SAGA

DASHBOARDS = (COMPARISON, SAGA, CQRS, INFRASTRUCTURE, K6)
FOLDER = Path(__file__).resolve().parents[3] / "grafana" / "dashboards"
