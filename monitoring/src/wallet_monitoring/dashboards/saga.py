"""The saga's dashboard: its steps, its compensations, its recovery."""

from wallet_monitoring.dashboards.panel import (
    Dashboard,
    Panel,
    Query,
    Row,
    cache_hit_rate,
    per_second,
    percentiles,
)
from wallet_monitoring.dashboards.service_panels import batches, processes

_SAGAS = Row(
    "Sagas",
    (
        Panel(
            title="Steps per second",
            queries=(Query(per_second("wallet_saga_steps_total", "step, outcome"), "{{step}}: {{outcome}}"),),
            unit="ops",
        ),
        Panel(
            title="Compensations per second",
            queries=(
                Query(per_second('wallet_saga_steps_total{step="Refund"}', "instance"), "{{instance}}"),
            ),
            unit="ops",
        ),
        Panel(
            title="Time of money in transit",
            queries=percentiles("wallet_visible_seconds", "architecture", '{architecture="saga"}'),
            unit="s",
        ),
        Panel(
            title="Unfinished sagas",
            queries=(
                Query("wallet_sagas_unfinished", "{{instance}} unfinished"),
                Query("wallet_sagas_abandoned", "{{instance}} abandoned"),
            ),
            unit="short",
        ),
        Panel(
            title="Age of the oldest unfinished saga",
            queries=(Query("wallet_saga_oldest_seconds", "{{instance}}"),),
            unit="s",
        ),
        Panel(
            title="Recovery per second",
            queries=(
                Query(per_second("wallet_sagas_claimed_total", "instance"), "{{instance}} leases taken"),
                Query(per_second("wallet_sagas_recovered_total", "instance"), "{{instance}} sagas decided"),
                Query(
                    per_second('wallet_retries_total{architecture="saga"}', "instance"),
                    "{{instance}} steps resent",
                ),
            ),
            unit="ops",
        ),
    ),
)
_WAY = Row(
    "From request to worker",
    (
        Panel(
            title="Time per worker call",
            queries=percentiles("wallet_service_call_seconds", "target"),
            unit="s",
        ),
        *batches("saga"),
    ),
)
_BOOKS = Row(
    "Ledger and cache",
    (
        Panel(
            title="Ledger imbalance by shard, micros",
            queries=(
                Query('wallet_books_imbalance_micros{architecture="saga"}', "shard {{shard}} {{currency}}"),
            ),
            unit="none",
        ),
        Panel(
            title="Share of balance reads from the cache",
            queries=(Query(cache_hit_rate("instance"), "{{instance}}"),),
            unit="percentunit",
        ),
        Panel(
            title="Workers connected to Redis",
            queries=(Query("wallet_cache_up", "{{instance}}"),),
            unit="none",
        ),
    ),
)

SAGA = Dashboard(
    "wallet-saga",
    "Wallet: saga",
    "Orchestrators, workers and shards.",
    (_SAGAS, _WAY, _BOOKS, processes("saga")),
)
