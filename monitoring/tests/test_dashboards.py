"""The files of Grafana's dashboards: they match the code, and Grafana can show them."""

import json

import pytest

from wallet_monitoring.dashboards.catalogue import DASHBOARDS, FOLDER
from wallet_monitoring.dashboards.grafana import dashboard_json
from wallet_monitoring.dashboards.panel import Dashboard

every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard.uid))


@every_dashboard
def test_files_equal_the_generated_dashboards(dashboard: Dashboard) -> None:
    """The files equal the generated dashboards. After a change run `python -m wallet_monitoring.dashboards`."""
    assert (FOLDER / f"{dashboard.uid}.json").read_text() == dashboard_json(dashboard)


def test_folder_has_no_other_files() -> None:
    """A dashboard that the code no longer generates has no file."""
    assert {file.stem for file in FOLDER.iterdir()} == {dashboard.uid for dashboard in DASHBOARDS}


@every_dashboard
def test_panels_do_not_overlap(dashboard: Dashboard) -> None:
    """Panels do not overlap and ids are unique, because Grafana would move or merge them otherwise."""
    panels = json.loads(dashboard_json(dashboard))["panels"]
    covered = [(x, y) for panel in panels for x, y in cells(**panel["gridPos"])]
    assert len(covered) == len(set(covered))
    assert all(x < 24 for x, _ in covered)
    assert len({panel["id"] for panel in panels}) == len(panels)


@every_dashboard
def test_annotations_have_queries_for_old_and_new_grafana(dashboard: Dashboard) -> None:
    """Annotations have a `target` for newer Grafana versions and an `expr` for older ones."""
    for annotation in json.loads(dashboard_json(dashboard))["annotations"]["list"]:
        assert annotation["target"]["expr"] == annotation["expr"]


def cells(x: int, y: int, w: int, h: int) -> list[tuple[int, int]]:
    """The grid cells that a panel covers."""
    return [(column, row) for column in range(x, x + w) for row in range(y, y + h)]
