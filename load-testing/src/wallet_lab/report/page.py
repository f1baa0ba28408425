"""Writes the report: one self-contained page, the figures as files, and report.json."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from msgspec.json import encode

from wallet_lab.report import wording
from wallet_lab.report.charts import FIGURES, Exhibit, summary
from wallet_lab.report.charts.style import STYLES, styled
from wallet_lab.report.conclusions import (
    COMPARED_MOMENTS,
    delay_conclusions,
    load_conclusions,
    recovery_conclusions,
)
from wallet_lab.report.headlines import headlines
from wallet_lab.report.model import Report
from wallet_lab.report.runs_table import runs_table
from wallet_lab.report.selection import MEASURES, architectures

DPI = 160


def write_report(report: Report, directory: Path) -> Path:
    """Write report.json, report.html, summary.png and the figures; returns the page's path."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "report.json").write_bytes(_lines(report))
    with styled():
        exhibits = [exhibit for draw in FIGURES if (exhibit := draw(report))]
        pictures = {each.name: _save(each.figure, directory / "figures" / each.name) for each in exhibits}
        if first_screen := summary(report):
            _save(first_screen, directory / "summary")
    target = directory / "report.html"
    target.write_text(_render(report, exhibits, pictures))
    return target


def read_report(path: Path) -> Report:
    """Read a report.json.

    Raises:
        ValueError: the file is truncated or no report, or has another schema than this version writes.
    """
    return msgspec.json.decode(path.read_bytes(), type=Report)


def _lines(report: Report) -> bytes:
    """Write JSON with one line per member and per list item, so that a diff shows exactly the runs that differ."""
    members = [
        b"%b: %b" % (encode(name), _items(value) if isinstance(value, list) else encode(value))
        for name, value in msgspec.structs.asdict(report).items()
    ]
    return b"{\n%b\n}\n" % b",\n".join(members)


def _items(values: list[object]) -> bytes:
    return b"[\n%b\n]" % b",\n".join(map(encode, values))


def _render(report: Report, exhibits: Sequence[Exhibit], pictures: Mapping[str, str]) -> str:
    environment = Environment(
        loader=PackageLoader("wallet_lab.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        wording=wording, colours={name: style.colour for name, style in STYLES.items()}
    )
    return environment.get_template("report.html.jinja").render(
        report=report,
        architectures=architectures(report),
        headlines=headlines(report),
        measures=MEASURES,
        loads=load_conclusions(report),
        delays=delay_conclusions(report),
        recoveries=recovery_conclusions(report),
        compared_moments=COMPARED_MOMENTS,
        exhibits=exhibits,
        pictures={name: _inline(svg) for name, svg in pictures.items()},
        runs=runs_table(report),
    )


def _save(figure: Figure, stem: Path) -> str:
    """Write a figure as PNG and SVG; returns the SVG."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(stem.with_suffix(".png"), dpi=DPI)
    figure.set_layout_engine("none")  # the first layout is enough
    text = io.StringIO()
    # No date, so that the same report produces the same file.
    figure.savefig(text, format="svg", metadata={"Date": None})
    stem.with_suffix(".svg").write_text(text.getvalue())
    return text.getvalue()


def _inline(svg: str) -> str:
    """Return a data URL of the picture. Separate images cannot have conflicting ids."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
