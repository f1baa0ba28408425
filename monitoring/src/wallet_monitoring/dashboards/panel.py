"""Dashboards, rows and panels as plain data, and PromQL that panels share."""

from dataclasses import dataclass
from typing import Literal

Source = Literal["services", "components", "lab", "rabbitmq", "postgres-exporter", "redis-exporter", "k6"]
"""The source of a metric. The lab has no Postgres and Redis exporters, Docker has no `lab`; the others are in both."""

Unit = Literal["s", "ms", "ops", "short", "bytes", "percentunit", "none"]
"""Grafana's names: (milli)seconds, operations per second, a number with prefixes, bytes, a share of 1, a number."""


@dataclass(frozen=True, slots=True)
class Query:
    """One line per series; the legend refers to labels as `{{label}}`."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A graph over time. Widths are in 24ths of a row."""

    title: str
    queries: tuple[Query, ...]
    unit: Unit
    source: Source = "services"
    description: str = ""
    width: int = 8
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard. `uid` is its address in Grafana and the name of its file."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, from the top."""
        return tuple(panel for row in self.rows for panel in row.panels)


def per_second(metric: str, by: str) -> str:
    """Returns the growth rate of a counter. `metric` may have a selector: `requests_total{status="503"}`."""
    return f"sum by ({by}) (rate({metric}[$__rate_interval]))"


def quantile(share: float, histogram: str, by: str, where: str = "") -> str:
    """Returns the quantile of a histogram's observations at this share."""
    buckets = per_second(f"{histogram}_bucket{where}", f"{by}, le")
    return f"histogram_quantile({share}, {buckets})"


def mean(histogram: str, by: str, where: str = "") -> str:
    """Returns the mean of a histogram's observations."""
    return f"{per_second(f'{histogram}_sum{where}', by)} / {per_second(f'{histogram}_count{where}', by)}"


def percentiles(histogram: str, by: str, where: str = "") -> tuple[Query, ...]:
    """Returns the median and the 99th percentile, one pair of lines for each combination of the labels."""
    names = " ".join(f"{{{{{label}}}}}" for label in by.split(", "))
    return (
        Query(quantile(0.5, histogram, by, where), f"{names} p50"),
        Query(quantile(0.99, histogram, by, where), f"{names} p99"),
    )


def cache_hit_rate(by: str) -> str:
    """Returns the share of balance reads that the cache answered."""
    hits = per_second('wallet_cache_reads_total{result="hit"}', by)
    return f"{hits} / {per_second('wallet_cache_reads_total', by)}"
