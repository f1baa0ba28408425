"""Converts dashboards to the JSON that Grafana provisions."""

import json
from typing import Any

from wallet_monitoring.dashboards.panel import Dashboard, Panel, Query, Source

DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
SCHEMA_VERSION = 39
PANEL_HEIGHT = 8
ROW_WIDTH = 24

Json = dict[str, Any]

ANNOTATIONS = (
    (
        "Restarts",
        "changes(process_start_time_seconds[$__rate_interval]) > 0",
        "{{architecture}} {{instance}}",
        "orange",
    ),
    (
        "Recovered sagas",
        "increase(wallet_sagas_recovered_total[$__rate_interval]) > 0",
        "{{instance}}",
        "blue",
    ),
    ("Alerts", 'ALERTS{alertstate="firing"}', "{{alertname}} {{architecture}} {{instance}}", "red"),
)
"""Name, query, text and colour of the annotations on every panel."""

WHERE: dict[Source, str] = {
    "services": "",
    "components": "",
    "rabbitmq": "",
    "lab": "Only natively, with `./lab up ARCH --monitoring`: its supervisor counts restarts.",
    "postgres-exporter": "Only on Docker, which runs the exporter.",
    "redis-exporter": "Only on Docker, which runs the exporter.",
    "k6": "Only while k6 writes to this Prometheus (see load-testing/README.md).",
}
"""Why a panel may be empty, by the source of its metrics."""


def dashboard_json(dashboard: Dashboard) -> str:
    """Returns the dashboard as a file for Grafana; equal dashboards give equal bytes."""
    content = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["wallet"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "5s",
        "time": {"from": "now-15m", "to": "now"},
        "annotations": {"list": [_annotation(*parts) for parts in ANNOTATIONS]},
        "panels": _panels(dashboard),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _annotation(name: str, expr: str, text: str, color: str) -> Json:
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        # Grafana 12.0.1 and 11.6.2 and later run the target, which older versions ignore.
        "target": {"refId": "A", "expr": expr},
        "expr": expr,
        "iconColor": color,
        "titleFormat": name,
        "textFormat": text,
    }


def _panels(dashboard: Dashboard) -> list[Json]:
    found: list[Json] = []
    top = 0
    for row in dashboard.rows:
        found.append(
            {"type": "row", "title": row.title, "id": len(found) + 1, "gridPos": _place(0, top, ROW_WIDTH, 1)}
        )
        left, top = 0, top + 1
        for panel in row.panels:
            if left + panel.width > ROW_WIDTH:
                left, top = 0, top + PANEL_HEIGHT
            found.append(_panel(panel, len(found) + 1, left, top))
            left += panel.width
        top += PANEL_HEIGHT
    return found


def _place(left: int, top: int, width: int, height: int) -> Json:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Panel, number: int, left: int, top: int) -> Json:
    stacking = {"stacking": {"mode": "normal"}, "fillOpacity": 40} if panel.stacked else {}
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": " ".join(filter(None, (panel.description, WHERE[panel.source]))),
        "id": number,
        "gridPos": _place(left, top, panel.width, PANEL_HEIGHT),
        "datasource": DATASOURCE,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": {"showPoints": "never", **stacking}},
            "overrides": [],
        },
        "options": {
            "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
            "tooltip": {"mode": "multi", "sort": "none"},
        },
        "targets": [_target(query, letter) for query, letter in zip(panel.queries, "ABCDEF", strict=False)],
    }


def _target(query: Query, letter: str) -> Json:
    return {
        "refId": letter,
        "datasource": DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend,
        "range": True,
    }
