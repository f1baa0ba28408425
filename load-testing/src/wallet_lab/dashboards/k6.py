"""The load as its client sees it: what k6 writes to Prometheus when it is told to (load-testing/README.md)."""

from wallet_lab.dashboards.panel import Dashboard, Panel, Query, Row, per_second

_BY = "{{architecture}}"


def _duration(statistic: str) -> Panel:
    # k6 sends statistics that it computed itself; those of several operations can only be compared, not added up.
    query = f"max by (architecture, name) (k6_http_req_duration_{statistic})"
    return Panel(
        title=f"Request time, {statistic}",
        queries=(Query(query, "{{architecture}} {{name}}"),),
        unit="s",
        source="k6",
    )


K6 = Dashboard(
    "wallet-k6",
    "Wallet: k6",
    "The client's side of a load test.",
    (
        Row(
            "Load",
            (
                Panel(
                    title="Requests a second",
                    queries=(
                        Query(
                            per_second("k6_http_reqs_total", "architecture, status"),
                            "{{architecture}} {{status}}",
                        ),
                    ),
                    unit="ops",
                    source="k6",
                ),
                Panel(
                    title="Iterations a second",
                    queries=(Query(per_second("k6_iterations_total", "architecture"), _BY),),
                    unit="ops",
                    source="k6",
                ),
                Panel(
                    title="Virtual users",
                    queries=(Query("sum by (architecture) (k6_vus)", _BY),),
                    unit="short",
                    source="k6",
                ),
            ),
        ),
        Row("Latency", tuple(map(_duration, ("p50", "p95", "p99")))),
        Row(
            "Failures",
            (
                Panel(
                    title="Requests that failed",
                    description="By k6's reckoning: any status from 400 on, so refusals too.",
                    queries=(Query("max by (architecture) (k6_http_req_failed_rate)", _BY),),
                    unit="percentunit",
                    source="k6",
                    width=12,
                ),
                Panel(
                    title="Checks that held",
                    queries=(
                        Query("min by (architecture, check) (k6_checks_rate)", "{{architecture}} {{check}}"),
                    ),
                    unit="percentunit",
                    source="k6",
                    width=12,
                ),
            ),
        ),
    ),
)
