"""Grafana's dashboards: the files match the code, and every panel has data."""

import json
import re
from pathlib import Path

import pytest

from tests.monitoring.watched import PrometheusApi
from wallet_monitoring.dashboards.catalogue import DASHBOARDS, FOLDER
from wallet_monitoring.dashboards.comparison import COMPARISON
from wallet_monitoring.dashboards.grafana import ANNOTATIONS, dashboard_json
from wallet_monitoring.dashboards.panel import Dashboard, Panel

ROOT = Path(__file__).parents[2]
NATIVE = {"services", "components", "lab", "rabbitmq", "k6"}
"""Sources that the lab has without Docker. The Docker tests query the exporters' panels."""

every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard.uid))
every_panel = pytest.mark.parametrize(
    ("dashboard", "panel"),
    [(dashboard, panel) for dashboard in DASHBOARDS for panel in dashboard.panels if panel.source in NATIVE],
    ids=lambda part: part.title if isinstance(part, Panel) else part.uid,
)


@every_dashboard
def test_the_files_are_what_the_code_makes(dashboard: Dashboard) -> None:
    """The files equal the generated dashboards. After a change run `python -m wallet_monitoring.dashboards`."""
    assert (ROOT / FOLDER / f"{dashboard.uid}.json").read_text() == dashboard_json(dashboard)


def test_there_are_no_other_files() -> None:
    """A dashboard that the code no longer generates has no file."""
    assert {file.stem for file in (ROOT / FOLDER).iterdir()} == {dashboard.uid for dashboard in DASHBOARDS}


@every_dashboard
def test_panels_lie_beside_each_other(dashboard: Dashboard) -> None:
    """Panels do not overlap and ids are unique, because Grafana would move or merge them otherwise."""
    panels = json.loads(dashboard_json(dashboard))["panels"]
    covered = [(x, y) for panel in panels for x, y in cells(**panel["gridPos"])]
    assert len(covered) == len(set(covered))
    assert all(x < 24 for x, _ in covered)
    assert len({panel["id"] for panel in panels}) == len(panels)


@every_dashboard
def test_old_and_new_grafana_find_what_to_mark(dashboard: Dashboard) -> None:
    """Annotations have a `target` for newer Grafana versions and an `expr` for older ones."""
    for annotation in json.loads(dashboard_json(dashboard))["annotations"]["list"]:
        assert annotation["target"]["expr"] == annotation["expr"]


def cells(x: int, y: int, w: int, h: int) -> list[tuple[int, int]]:
    """The grid cells that a panel covers."""
    return [(column, row) for column in range(x, x + w) for row in range(y, y + h)]


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
def test_the_comparison_shows_both(panel: Panel, watched: PrometheusApi) -> None:
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
def test_nothing_is_wrong_under_this_load(watched: PrometheusApi) -> None:
    """No alert fires while everything works, because operators ignore alerts that fire without cause."""
    assert watched.series('ALERTS{alertstate="firing"}') == []
    assert watched.series("architecture:wallet_books_imbalance_micros:sum > 0") == []
    assert watched.series("architecture:wallet_books_imbalance_micros:sum")
