"""Panels that both architectures' own dashboards have: the state of each process."""

from wallet_monitoring.dashboards.panel import Panel, Query, Row, per_second, quantile


def processes(architecture: str) -> Row:
    """Returns panels of the limits of a process, one line per process."""
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
                description="Cores. One thread of a service does the work: 1 means saturated.",
            ),
            Panel(title="Event-loop lag, p99", queries=(Query(lag, "{{instance}}"),), unit="s"),
            Panel(
                title="Requests in flight",
                queries=(Query(f"wallet_requests_in_flight{{{only}}}", "{{instance}}"),),
                unit="short",
            ),
            Panel(
                title="Queue usage (share of the bound)",
                queries=(
                    Query(
                        f"wallet_queue_depth{{{only}}} / wallet_queue_max{{{only}}}",
                        "{{instance}} {{batcher}}",
                    ),
                ),
                unit="percentunit",
            ),
            Panel(
                title="Database connections in use",
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
    """Returns panels of the batch size and its time at the database."""
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
        Panel(title="Database time per batch", queries=database, unit="s"),
    )
