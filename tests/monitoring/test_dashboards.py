"""Grafana's dashboards under load: every query of every panel has data."""

import re

import pytest

from tests.monitoring.watched import PrometheusApi
from wallet_monitoring.dashboards.catalogue import DASHBOARDS
from wallet_monitoring.dashboards.comparison import COMPARISON
from wallet_monitoring.dashboards.grafana import ANNOTATIONS
from wallet_monitoring.dashboards.panel import Dashboard, Panel

NATIVE = {"services", "components", "lab", "rabbitmq", "k6"}
"""Sources that the lab has without Docker. The Docker tests query the exporters' panels."""

every_panel = pytest.mark.parametrize(
    ("dashboard", "panel"),
    [(dashboard, panel) for dashboard in DASHBOARDS for panel in dashboard.panels if panel.source in NATIVE],
    ids=lambda part: part.title if isinstance(part, Panel) else part.uid,
)


@pytest.mark.slow
@every_panel
def test_every_query_has_data(dashboard: Dashboard, panel: Panel, watched: PrometheusApi) -> None:
    """Under load every query of every panel has data, and its legend uses labels that the series have."""
    for query in panel.queries:
        series = watched.series(query.expr)
        assert series, query.expr
        named = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
        assert all(named <= labels.keys() for labels in series), (query.legend, series)


@pytest.mark.slow
@pytest.mark.parametrize("panel", COMPARISON.panels, ids=lambda panel: str(panel.title))
def test_comparison_shows_both_architectures(panel: Panel, watched: PrometheusApi) -> None:
    """Every panel of the comparison has a line for each architecture."""
    for query in panel.queries:
        shown = {labels.get("architecture") for labels in watched.series(query.expr)}
        assert shown == {"saga", "cqrs"}, query.expr


@pytest.mark.slow
@pytest.mark.parametrize(("name", "expr"), [annotation[:2] for annotation in ANNOTATIONS])
def test_annotations_are_queries(name: str, expr: str, watched: PrometheusApi) -> None:
    """Prometheus accepts the annotations' queries. Without faults they have no results."""
    assert watched.series(expr) == []


@pytest.mark.slow
def test_no_alert_fires_under_load(watched: PrometheusApi) -> None:
    """No alert fires while everything works, because operators ignore alerts that fire without cause."""
    assert watched.series('ALERTS{alertstate="firing"}') == []
    assert watched.series("architecture:wallet_books_imbalance_micros:sum > 0") == []
    assert watched.series("architecture:wallet_books_imbalance_micros:sum")
