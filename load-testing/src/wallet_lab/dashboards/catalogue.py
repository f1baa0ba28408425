"""All dashboards and the folder of their files."""

from pathlib import Path

from wallet_lab.dashboards.comparison import COMPARISON
from wallet_lab.dashboards.cqrs import CQRS
from wallet_lab.dashboards.infrastructure import INFRASTRUCTURE
from wallet_lab.dashboards.k6 import K6
from wallet_lab.dashboards.saga import SAGA

DASHBOARDS = (COMPARISON, SAGA, CQRS, INFRASTRUCTURE, K6)
FOLDER = Path("monitoring/grafana/dashboards")
