"""Writes the report: one self-contained page, the figures as files, and report.json."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from msgspec.json import encode

from wallet_lab.report import wording
from wallet_lab.report.absent import absent
from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.style import NARROW_IN, NEUTRAL, WIDE_IN, colour, label, styled
from wallet_lab.report.charts.summary import summary
from wallet_lab.report.conditions import conditions
from wallet_lab.report.decisions import decisions
from wallet_lab.report.model import Report
from wallet_lab.report.proof import proof
from wallet_lab.report.runs_table import runs_table
from wallet_lab.report.sections import Section, sections
from wallet_lab.report.selection import CEILING, architectures
from wallet_lab.statistics.differences import BAND

DPI = 160
LONG_TABLE = 60
"""A table with more rows is not printed on paper."""
Pictures = Mapping[str, tuple[str, str]]
"""By exhibit: the data URLs of the wide and of the narrow picture."""

_THEME = """<style>:root { --ink: #222; --faint: #6b6b6b; --edge: #9a9a9a; --grid: #e4e4e4; --paper: #fff }
@media (prefers-color-scheme: dark) {
:root { --ink: #e6e6e6; --faint: #a8a8a8; --edge: #6f6f6f; --grid: #34383f; --paper: #15181d } }</style>"""
"""The colours of a picture in both themes; the page's style sheet has the same ones."""


def write_report(report: Report, directory: Path) -> Path:
    """Write report.json, report.html, summary.png and the figures; returns the page's path."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "report.json").write_bytes(_lines(report))
    found = sections(report)
    with styled():
        drawn = [exhibit for section in found for exhibit in section.exhibits if exhibit.draw]
        pictures = {each.name: _save(each, directory / "figures") for each in drawn}
        if first_screen := summary(report):
            first_screen.savefig(directory / "summary.png", dpi=DPI)
    target = directory / "report.html"
    target.write_text(_render(report, found, pictures, has_evidence=(directory / "evidence").is_dir()))
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


def _render(report: Report, found: Sequence[Section], pictures: Pictures, *, has_evidence: bool) -> str:
    environment = Environment(
        loader=PackageLoader("wallet_lab.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = architectures(report)
    return environment.get_template("report.html.jinja").render(
        report=report,
        wording=wording,
        legend=[(name, label(name), colour(name)) for name in (*names, CEILING)],
        proof=proof(report),
        decisions=decisions(report),
        has_evidence=has_evidence,
        band=BAND,
        long_table=LONG_TABLE,
        conditions=conditions(report),
        sections=[section for section in found if section.exhibits],
        absent=absent(report, [section.title for section in found if not section.exhibits]),
        pictures=pictures,
        runs=runs_table(report),
    )


def _save(exhibit: Exhibit, directory: Path) -> tuple[str, str]:
    """Write a figure as PNG and SVG; returns the data URLs of the wide and of the narrow picture."""
    assert exhibit.draw, exhibit.name
    directory.mkdir(parents=True, exist_ok=True)
    figure = exhibit.draw(WIDE_IN)
    figure.savefig(directory / f"{exhibit.name}.png", dpi=DPI)
    wide = _svg(figure)
    (directory / f"{exhibit.name}.svg").write_text(wide)
    return _inline(wide), _inline(_svg(exhibit.draw(NARROW_IN)))


def _svg(figure: Figure) -> str:
    # No date, so that the same report produces the same file.
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _inline(svg: str) -> str:
    """Return a data URL of the picture, with the neutral colours of the reader's theme."""
    for value, name in NEUTRAL.items():
        svg = svg.replace(value, f"var(--{name})")
    svg = re.sub(r"(<svg [^>]*>)", rf"\1{_THEME}", svg, count=1)
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
