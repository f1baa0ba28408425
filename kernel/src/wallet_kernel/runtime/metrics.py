"""Metrics that both architectures have under one name, so that dashboards and reports can compare them."""

from prometheus_client import Counter, Histogram

from wallet_kernel.endpoint import LATENCY_BUCKETS_S

TRANSFERS = Counter("wallet_transfers", "Transfers by outcome: success, pending, or why not.", ["outcome"])
CACHE_READS = Counter("wallet_cache_reads", "Balance reads by whether the cache had them.", ["result"])
CACHE_FAILURES = Counter("wallet_cache_failures", "Times Redis did not answer who writes balances.")
TRANSACTION = Histogram(
    "wallet_database_seconds",
    "Time of one batch's transaction.",
    buckets=LATENCY_BUCKETS_S,
)
