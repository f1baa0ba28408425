"""Metrics that both architectures have under one name, so that dashboards and reports can compare them."""

from prometheus_client import Counter, Histogram

TRANSFERS = Counter("wallet_transfers", "Transfers by outcome: success, pending, or why not.", ["outcome"])
TRANSACTION = Histogram(
    "wallet_database_seconds",
    "Time of one batch's transaction.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
