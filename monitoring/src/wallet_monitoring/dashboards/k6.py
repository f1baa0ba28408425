"""The dashboard of the load test's client: metrics that k6 writes to Prometheus if enabled (load-testing/README.md)."""

from wallet_monitoring.dashboards.panel import Dashboard, Panel, Query, Row, per_second


def _by_outcome(title: str, metric: str) -> Panel:
    return Panel(
        title=title,
        queries=(Query(per_second(metric, "architecture, outcome"), "{{architecture}} {{outcome}}"),),
        unit="ops",
        source="k6",
        width=12,
    )


def _time(statistic: str) -> Panel:
    # k6 sends computed percentiles. They can be shown but not aggregated.
    times = (
        Query(f'max by (architecture) (k6_wallet_{what}_ms_{statistic}{{outcome="success"}})', legend)
        for what, legend in (("transfer", "{{architecture}} transfer"), ("read", "{{architecture}} read"))
    )
    return Panel(title=f"Response time, {statistic}", queries=tuple(times), unit="ms", source="k6")


K6 = Dashboard(
    "wallet-k6",
    "Wallet: k6",
    "The client's view of a load test.",
    (
        Row(
            "Answers",
            (
                _by_outcome("Transfers per second", "k6_wallet_transfers_total"),
                _by_outcome("Reads per second", "k6_wallet_reads_total"),
            ),
        ),
        Row("Latency of successful calls", tuple(map(_time, ("p50", "p95", "p99")))),
        Row(
            "The client",
            (
                Panel(
                    title="Iterations per second",
                    queries=(Query(per_second("k6_iterations_total", "architecture"), "{{architecture}}"),),
                    unit="ops",
                    source="k6",
                    width=12,
                ),
                Panel(
                    title="Virtual users",
                    queries=(Query("sum by (architecture) (k6_vus)", "{{architecture}}"),),
                    unit="short",
                    source="k6",
                    width=12,
                ),
            ),
        ),
    ),
)
