"""The dashboard that compares both architectures; every panel has the same lines for each."""

from wallet_monitoring.dashboards.panel import (
    Dashboard,
    Panel,
    Query,
    Row,
    cache_hit_rate,
    mean,
    per_second,
    percentiles,
    quantile,
)

BOTH = "{{architecture}}"
_SUCCESSES = per_second('wallet_transfers_total{outcome="success"}', "architecture")
_SERVICES = 'service=~"orchestrator|worker|command|relay|projection|query"'
_SERVICE_CPU = per_second(f"process_cpu_seconds_total{{{_SERVICES}}}", "architecture")
_STACK = 'kind!~"prometheus|component-metrics"'
_STACK_CPU = per_second(f"wallet_component_cpu_seconds_total{{{_STACK}}}", "architecture")


def _latency(share: float, operation: str) -> Query:
    where = f'{{operation="{operation}"}}'
    return Query(quantile(share, "wallet_request_seconds", "architecture", where), BOTH)


_TRANSFERS = Row(
    "Transfers",
    (
        Panel(title="Transfers per second", queries=(Query(_SUCCESSES, BOTH),), unit="ops", width=12),
        Panel(
            title="Other outcomes per second",
            description="Refusals are answers too. Pending and outcome-unknown responses are undecided.",
            queries=(
                Query(
                    per_second('wallet_transfers_total{outcome!="success"}', "architecture, outcome"),
                    "{{architecture}} {{outcome}}",
                ),
            ),
            unit="ops",
            width=12,
        ),
    ),
)
_LATENCY = Row(
    "Latency at the public service",
    (
        Panel(title="Transfer, median", queries=(_latency(0.5, "transfer"),), unit="s"),
        Panel(title="Transfer, p95", queries=(_latency(0.95, "transfer"),), unit="s"),
        Panel(title="Transfer, p99", queries=(_latency(0.99, "transfer"),), unit="s"),
        Panel(title="Balance, median", queries=(_latency(0.5, "balance"),), unit="s"),
        Panel(title="Balance, p99", queries=(_latency(0.99, "balance"),), unit="s"),
        Panel(
            title="Share of balance reads from the cache",
            queries=(Query(cache_hit_rate("architecture"), BOTH),),
            unit="percentunit",
        ),
    ),
)
_COST = Row(
    "Cost",
    (
        Panel(
            title="CPU time per transfer: all components",
            description="Includes databases, cache, broker and gateway: compare this total. Reads count too.",
            queries=(Query(f"{_STACK_CPU} / ({_SUCCESSES} > 0)", BOTH),),
            unit="s",
            source="components",
        ),
        Panel(
            title="CPU time per transfer: the wallet's own services",
            queries=(Query(f"{_SERVICE_CPU} / ({_SUCCESSES} > 0)", BOTH),),
            unit="s",
        ),
        Panel(
            title="Memory",
            description="Memory that the processes map; each page counts once.",
            queries=(Query(f"sum by (architecture) (wallet_component_memory_bytes{{{_STACK}}})", BOTH),),
            unit="bytes",
            source="components",
        ),
    ),
)
_CONSISTENCY = Row(
    "Consistency",
    (
        Panel(
            title="Consistency delay",
            description="How long a transfer is partly visible. Saga: debit durable, credit in progress."
            " Cqrs: appended, but not yet in the read model.",
            queries=percentiles("wallet_visible_seconds", "architecture"),
            unit="s",
        ),
        Panel(
            title="Ledger imbalance, micros",
            description="Money created or lost according to the ledger. Any value but 0 is a fault.",
            queries=(
                Query(
                    "sum by (architecture) (abs(max by (architecture, shard, currency)"
                    " (wallet_books_imbalance_micros)))",
                    BOTH,
                ),
            ),
            unit="none",
        ),
        Panel(
            title="Resends per second",
            description="Steps or commands that were sent again because their outcome was unknown.",
            queries=(Query(per_second("wallet_retries_total", "architecture"), BOTH),),
            unit="ops",
        ),
    ),
)
_BATCHING = Row(
    "Batching",
    (
        Panel(
            title="Decisions per batch, mean",
            queries=(Query(mean("wallet_batch_size", "architecture", '{batcher=~"steps|commands"}'), BOTH),),
            unit="short",
        ),
        Panel(
            title="Database time per deciding batch",
            queries=percentiles("wallet_database_seconds", "architecture", '{service=~"worker|command"}'),
            unit="s",
        ),
        Panel(
            title="Queued for a decision",
            queries=(Query('sum by (architecture) (wallet_queue_depth{batcher=~"steps|commands"})', BOTH),),
            unit="short",
        ),
    ),
)

COMPARISON = Dashboard(
    "wallet-comparison",
    "Wallet: comparison",
    "Saga and event-driven CQRS under the same load, panel by panel.",
    (_TRANSFERS, _LATENCY, _COST, _CONSISTENCY, _BATCHING),
)
