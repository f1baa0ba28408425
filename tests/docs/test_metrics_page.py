"""docs/metrics.md lists exactly the metrics that the code defines, under the names in Prometheus."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUFFIXES = {
    "Counter": "_total",
    "CounterMetricFamily": "_total",
    "Info": "_info",
    "Gauge": "",
    "GaugeMetricFamily": "",
    "Histogram": "",
}


def definitions() -> Iterator[ast.Call]:
    """Every call in the members' code that creates a metric."""
    for file in sorted(ROOT.glob("*/src/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                # Name and description distinguish these calls from the standard library's Counter, which has
                # neither.
                case ast.Call(func=ast.Name(id=kind), args=[_, _, *_]) if kind in SUFFIXES:
                    yield node


def described(call: ast.Call) -> tuple[str, tuple[str, str]]:
    """The metric's name in Prometheus, its type and its labels."""
    assert isinstance(call.func, ast.Name)
    name, _, *rest = map(ast.literal_eval, call.args)
    labels = rest + [ast.literal_eval(word.value) for word in call.keywords if word.arg == "labels"]
    kind = call.func.id.removesuffix("MetricFamily").lower()
    return name + SUFFIXES[call.func.id], (kind, ", ".join(labels[0]) if labels else "")


def test_every_metric_is_documented(metrics_page: dict[str, list[list[str]]]) -> None:
    """The page lists each metric once, with its type and labels, and no other."""
    rows = [row for section in metrics_page.values() for row in section]
    documented = {name: (kind, labels) for name, kind, labels, _ in rows}
    assert len(documented) == len(rows)
    in_code = dict(described(call) for call in definitions())
    assert documented.keys() == in_code.keys()
    for name, (kind, labels) in in_code.items():
        # The labels of an info metric are set at run time.
        assert documented[name] == (kind, documented[name][1] if kind == "info" else labels), name


def test_every_metric_has_a_meaning(metrics_page: dict[str, list[list[str]]]) -> None:
    """Every metric on the page has a description."""
    assert all(meaning for section in metrics_page.values() for *_, meaning in section)
