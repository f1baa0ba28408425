"""Panels that either architecture has on its own dashboard: how each of its processes does."""

from wallet_lab.dashboards.panel import Panel, Query, Row, per_second, quantile


def processes(architecture: str) -> Row:
    """What keeps a process from being quick, one line a process."""
    only = f'architecture="{architecture}"'
    cpu = per_second(f'process_cpu_seconds_total{{{only},service!~"rabbitmq|component-metrics"}}', "instance")
    lag = quantile(0.99, "wallet_event_loop_lag_seconds", "instance", f"{{{only}}}")
    return Row(
        "Processes",
        (
            Panel(
                title="CPU",
                queries=(Query(cpu, "{{instance}}"),),
                unit="none",
                description="Cores. A service has one thread that matters: at 1 it is full.",
            ),
            Panel(title="Event-loop lag, p99", queries=(Query(lag, "{{instance}}"),), unit="s"),
            Panel(
                title="Requests in flight",
                queries=(Query(f"wallet_requests_in_flight{{{only}}}", "{{instance}}"),),
                unit="short",
            ),
            Panel(
                title="Queues: share of their bound",
                queries=(
                    Query(
                        f"wallet_queue_depth{{{only}}} / wallet_queue_max{{{only}}}",
                        "{{instance}} {{batcher}}",
                    ),
                ),
                unit="percentunit",
            ),
            Panel(
                title="Database pools: connections in use",
                queries=(Query(f"wallet_pool_in_use{{{only}}}", "{{instance}} {{pool}}"),),
                unit="short",
            ),
            Panel(
                title="Requests by status",
                queries=(
                    Query(
                        per_second(f"wallet_requests_total{{{only}}}", "service, status"),
                        "{{service}} {{status}}",
                    ),
                ),
                unit="ops",
            ),
        ),
    )


def batches(architecture: str) -> tuple[Panel, ...]:
    """How much goes at once, and how long that takes at the database."""
    only = f'{{architecture="{architecture}"}}'
    size = quantile(0.5, "wallet_batch_size", "service, batcher", only)
    database = tuple(
        Query(
            quantile(share, "wallet_database_seconds", "service", only), f"{{{{service}}}} p{share * 100:.0f}"
        )
        for share in (0.5, 0.99)
    )
    return (
        Panel(title="Batch size, median", queries=(Query(size, "{{service}} {{batcher}}"),), unit="short"),
        Panel(title="Time of a batch at the database", queries=database, unit="s"),
    )
