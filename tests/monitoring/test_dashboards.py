"""Grafana's dashboards: the files are what the code makes, and every panel shows something."""

import json
import re
from pathlib import Path

import pytest

from tests.monitoring.watched import PrometheusApi
from wallet_lab.dashboards.catalogue import DASHBOARDS, FOLDER
from wallet_lab.dashboards.comparison import COMPARISON
from wallet_lab.dashboards.grafana import ANNOTATIONS, dashboard_json
from wallet_lab.dashboards.panel import Dashboard, Panel
from wallet_lab.dashboards.picture import draw

ROOT = Path(__file__).parents[2]
NATIVE = {"services", "components", "lab", "rabbitmq", "k6"}
"""Sources that the lab has without Docker. The exporters' panels are queried by the test of the containers."""

every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard.uid))
every_panel = pytest.mark.parametrize(
    ("dashboard", "panel"),
    [(dashboard, panel) for dashboard in DASHBOARDS for panel in dashboard.panels if panel.source in NATIVE],
    ids=lambda part: part.title if isinstance(part, Panel) else part.uid,
)


@every_dashboard
def test_the_files_are_what_the_code_makes(dashboard: Dashboard) -> None:
    """Whoever edits one edits the other: `python -m wallet_lab.dashboards`."""
    assert (ROOT / FOLDER / f"{dashboard.uid}.json").read_text() == dashboard_json(dashboard)


def test_there_are_no_other_files() -> None:
    """A dashboard that the code no longer makes is gone from Grafana too."""
    assert {file.stem for file in (ROOT / FOLDER).iterdir()} == {dashboard.uid for dashboard in DASHBOARDS}


@every_dashboard
def test_panels_lie_beside_each_other(dashboard: Dashboard) -> None:
    """Grafana would push panels around that overlap, and merge those with the same number."""
    panels = json.loads(dashboard_json(dashboard))["panels"]
    covered = [(x, y) for panel in panels for x, y in cells(**panel["gridPos"])]
    assert len(covered) == len(set(covered))
    assert all(x < 24 for x, _ in covered)
    assert len({panel["id"] for panel in panels}) == len(panels)


@every_dashboard
def test_old_and_new_grafana_find_what_to_mark(dashboard: Dashboard) -> None:
    """Newer ones run an annotation's target, and quietly nothing where there is none; older ones its `expr`."""
    for annotation in json.loads(dashboard_json(dashboard))["annotations"]["list"]:
        assert annotation["target"]["expr"] == annotation["expr"]


def cells(x: int, y: int, w: int, h: int) -> list[tuple[int, int]]:
    """What a panel covers of the grid."""
    return [(column, row) for column in range(x, x + w) for row in range(y, y + h)]


@pytest.mark.slow
@every_panel
def test_every_query_has_data(dashboard: Dashboard, panel: Panel, watched: PrometheusApi) -> None:
    """Under load each line of each panel shows something, and its legend names labels that its series have."""
    for query in panel.queries:
        series = watched.series(query.expr)
        assert series, query.expr
        named = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
        assert all(named <= labels.keys() for labels in series), (query.legend, series)


@pytest.mark.slow
@pytest.mark.parametrize("panel", COMPARISON.panels, ids=lambda panel: str(panel.title))
def test_the_comparison_shows_both(panel: Panel, watched: PrometheusApi) -> None:
    """A line for each architecture in every panel: what cannot be compared has its place elsewhere."""
    for query in panel.queries:
        shown = {labels.get("architecture") for labels in watched.series(query.expr)}
        assert shown == {"saga", "cqrs"}, query.expr


@pytest.mark.slow
def test_a_dashboard_can_be_drawn(watched: PrometheusApi) -> None:
    """As a picture, without Grafana: every panel has its lines."""
    figure = draw(COMPARISON, watched.url, 30)
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes if not axes.lines] == []
    assert len(figure.axes) == len(COMPARISON.panels)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "expr"), [annotation[:2] for annotation in ANNOTATIONS])
def test_annotations_are_queries(name: str, expr: str, watched: PrometheusApi) -> None:
    """Prometheus understands them; while nothing happens there is nothing to mark."""
    assert watched.series(expr) == []


@pytest.mark.slow
def test_nothing_is_wrong_under_this_load(watched: PrometheusApi) -> None:
    """No alert fires while everything works: one that cries wolf is ignored when it counts."""
    assert watched.series('ALERTS{alertstate="firing"}') == []
    assert watched.series("architecture:wallet_books_imbalance_micros:sum > 0") == []
    assert watched.series("architecture:wallet_books_imbalance_micros:sum")
