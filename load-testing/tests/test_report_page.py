"""The report's files: self-contained, with every figure, and without withheld figures."""

import itertools
import json
import re
from pathlib import Path

import msgspec
import pytest
from lab_support.chromium import find_chromium, measure, screenshot
from lab_support.synthetic import BEGAN, COMPARED, LOST, NOT_RUN, synthetic_report
from PIL import Image

from wallet_lab.report.charts import costs
from wallet_lab.report.charts.style import colour, component_colour
from wallet_lab.report.model import Machine, Ratios, Report
from wallet_lab.report.page import read_report, write_report

pytestmark = pytest.mark.slow
WIDTHS = (390, 768, 1440)
"""A phone, a tablet and a desktop, in CSS pixels."""
OLD = Path(__file__).parents[2] / "docs" / "results" / "2026-11-22"
FIGURES = {
    "latency-median",
    "latency",
    "latency-distribution",
    "capacity",
    "rates",
    "throughput",
    "sustained",
    "price",
    "cpu",
    "written",
    "delay",
    "delay-distribution",
    "fresh-reads",
    "outage",
    "recovery-times",
    "affected-calls",
    "outcomes",
    "audits",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a written report."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "evidence").mkdir()
    write_report(synthetic_report(), folder)
    return folder


@pytest.fixture(scope="module")
def browser() -> str:
    """Chromium; the test is skipped without it."""
    found = find_chromium()
    if found is None:
        pytest.skip("Chromium is missing. Install it with 'apt-get install chromium'.")
    return found


def test_the_json_is_read_back_as_it_was(folder: Path) -> None:
    """report.json is read back without loss."""
    assert read_report(folder / "report.json") == synthetic_report()


def test_the_json_has_a_line_for_each_run(folder: Path) -> None:
    """report.json has one line per run, so that a diff shows the runs that differ."""
    report, lines = synthetic_report(), (folder / "report.json").read_text().splitlines()
    runs = lines[lines.index('"runs": [') + 1 :][: len(report.runs)]
    assert [json.loads(line.rstrip(","))["scenario"] for line in runs] == [
        run.scenario for run in report.runs
    ]
    items = len(report.runs) + len(report.consistency_delay_ms) + len(report.capacities) + len(report.faults)
    assert len(lines) < items + 100


def test_every_figure_is_there_as_picture_drawing_and_table(folder: Path) -> None:
    """A full report has all figures, each with a PNG, an SVG, an alternative text and a table."""
    page = (folder / "report.html").read_text()
    assert page.count("<figure>") == page.count("The data as a table") == len(FIGURES)
    assert {each.stem for each in (folder / "figures").glob("*.png")} == FIGURES
    assert {each.stem for each in (folder / "figures").glob("*.svg")} == FIGURES
    assert all(re.search(r"\d", alt) for alt in re.findall(r'<img [^>]*alt="([^"]*)"', page))
    assert (folder / "summary.png").stat().st_size > 0


def test_components_keep_their_order_and_colour() -> None:
    """A component has the same place in all bars, for any cost, and unknown kinds have a colour too."""
    exhibit = costs.cpu(synthetic_report())
    assert exhibit is not None
    orders = {
        tuple(re.findall(r"([a-z-]+) [\d.]+", row[-1])) for row in exhibit.table.rows if row[1] == "cqrs"
    }
    assert len(orders - {()}) == 1
    assert component_colour("a-kind-of-a-stranger") == component_colour("a-kind-of-a-stranger")


def test_the_page_needs_no_other_file(folder: Path) -> None:
    """The page refers only to itself and to the evidence in its folder."""
    page = (folder / "report.html").read_text()
    references = re.findall(r'(?:src|srcset|href)="([^"]{5})|url\(([^)]{5})', page)
    assert {a or b for a, b in references if not a.startswith("#")} == {"data:", "evide"}


def test_evidence_is_linked_if_it_is_kept(folder: Path) -> None:
    """Measured lines of the decision table link to the folder of the evidence, and counted lines do not."""
    assert (folder / "report.html").read_text().count('href="evidence/"') == 10


def test_every_link_within_the_page_has_its_target(folder: Path) -> None:
    """Every line of the decision table leads to a part of the page, and no id occurs twice."""
    page = (folder / "report.html").read_text()
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_headings_are_in_order_and_tables_have_scopes(folder: Path) -> None:
    """No heading skips a level, and every heading of a table names its direction, for screen readers."""
    page = (folder / "report.html").read_text()
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert set(re.findall(r"<th\b( scope=\"(?:row|col)\")?", page)) == {' scope="row"', ' scope="col"'}


def test_withheld_figures_appear_nowhere(folder: Path) -> None:
    """If a run failed its audit, the page gives the reason, and no figure of this architecture in this load."""
    page = (folder / "report.html").read_text()
    rows = re.findall(r'<tr><th scope="row">zipf</th>.*?</tr>', page)
    assert len(rows) > 2
    for row in rows:
        cells = re.findall(r'data-label="cqrs">([^<]*)<', row)
        assert all(cell == f"withheld: {LOST}" for cell in cells)
    assert not re.search(r"zipf, cqrs: \d", page)
    assert re.search(r"zipf: noop [^.]*cqrs withheld", page)


def test_the_page_lists_what_was_not_measured(folder: Path) -> None:
    """A section without data is one line, and so is a load or fault that did not run, with its reason."""
    page = (folder / "report.html").read_text()
    found = page[page.index('id="absent"') :]
    assert "Price of the safeguards: this report has no data for it." in found
    assert "saga, uniform-100k (10 times): not run, k6 was not found" in found
    assert f"saga, cut-worker: not run, {NOT_RUN}" in found


def test_page_says_how_often_its_method_is_wrong(folder: Path) -> None:
    """The page has the result of the second runs of its blocks, and the share of the clients."""
    page = (folder / "report.html").read_text()
    assert "A/A test, two runs of the same architecture: the method calls none of" in page
    assert "k6 took 22 to 22 %" in page


def test_an_older_report_has_a_page(tmp_path: Path) -> None:
    """A report without blocks, capacities and injections is drawn; the sections without data are left out."""
    page = write_report(read_report(OLD / "report.json"), tmp_path).read_text()
    assert 'id="throughput"' in page
    assert 'id="first-success"' in page
    assert 'id="capacity"' not in page
    assert "evidence/" not in page
    assert "Size and parts to operate: this report has no data for it." in page


def test_a_report_of_nothing_is_a_page_too(tmp_path: Path) -> None:
    """If the comparison is interrupted before the first run, the report is still written."""
    empty = Report(
        title="Interrupted",
        started_at=BEGAN,
        finished_at=BEGAN,
        complete=False,
        command="./lab compare",
        machine=Machine(cpu="", cores=1, memory_mib=1, system="", kernel=""),
        versions={},
        runs=[],
        consistency_delay_ms=[],
        recovery=[],
        ratios=Ratios(noop={}, hot_over_uniform={}),
        not_measured=["Everything."],
    )
    assert "Interrupted:" in write_report(empty, tmp_path).read_text()


def test_a_report_of_another_shape_is_refused(tmp_path: Path) -> None:
    """A report with another schema is refused."""
    (tmp_path / "report.json").write_text('{"schema": 1}')
    with pytest.raises(msgspec.ValidationError):
        read_report(tmp_path / "report.json")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_browser_shows_every_figure(folder: Path, browser: str, width: int) -> None:
    """At each width, nothing overflows, each figure is loaded and legible, and the console has no messages."""
    page = measure(browser, folder / "report.html", width)
    assert page.complaints == []
    assert page.width == width
    assert len(page.figures) == len(FIGURES)
    for figure in page.figures:
        assert figure.loaded
        assert figure.width > 0.6 * width
        assert figure.height > 60


@pytest.mark.parametrize("is_dark", [False, True])
def test_figures_follow_the_theme(folder: Path, browser: str, is_dark: bool) -> None:
    """The figures have the background of the page, light or dark, and colours on it."""
    page = measure(browser, folder / "report.html", WIDTHS[1])
    height = int(max(figure.y + figure.height for figure in page.figures)) + 100
    with Image.open(screenshot(browser, folder / "report.html", WIDTHS[1], height, is_dark=is_dark)) as image:
        picture = image.convert("RGB")
    for figure in page.figures:
        box = (figure.x, figure.y, figure.x + figure.width, figure.y + figure.height)
        shown = picture.crop(box).getcolors(maxcolors=1_000_000)
        assert shown, figure.alt
        assert len(shown) > 20, figure.alt
        assert max(shown)[1] == ((21, 24, 29) if is_dark else (255, 255, 255)), figure.alt


def test_the_architectures_keep_their_colours(folder: Path) -> None:
    """Each architecture has the same colour in every figure."""
    for name in (
        "throughput",
        "latency",
        "latency-distribution",
        "capacity",
        "rates",
        "sustained",
        "price",
        "outage",
    ):
        drawing = (folder / "figures" / f"{name}.svg").read_text().upper()
        for architecture in COMPARED:
            assert colour(architecture) in drawing, (name, architecture)
