"""The report's files: self-contained, with every figure, and without withheld figures."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from lab_support.chromium import find_chromium, measure, screenshot
from lab_support.synthetic import BEGAN, LOST, synthetic_report
from PIL import Image

from wallet_lab.report.charts import FIGURES, costs
from wallet_lab.report.charts.style import colour
from wallet_lab.report.model import Costs, Machine, Ratios, Report
from wallet_lab.report.page import read_report, write_report

pytestmark = pytest.mark.slow
WIDTH = 1200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a written report."""
    folder = tmp_path_factory.mktemp("report")
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
    assert len(lines) < len(report.runs) + len(report.recovery) + 100


def test_every_figure_is_there_as_picture_drawing_and_table(folder: Path) -> None:
    """A full report has all figures, each with a PNG, an SVG, an alternative text and a table."""
    page = (folder / "report.html").read_text()
    assert page.count("<figure>") == page.count("The data as a table") == len(FIGURES)
    assert len(list((folder / "figures").glob("*.png"))) == len(FIGURES)
    assert len(list((folder / "figures").glob("*.svg"))) == len(FIGURES)
    assert all(len(alt) > 20 for alt in re.findall(r'<img [^>]*alt="([^"]*)"', page))
    assert (folder / "summary.png").stat().st_size > 0


def test_components_that_cost_the_same_keep_their_order() -> None:
    """Components with equal costs keep their order, so that the same report produces the same page."""
    names = [f"component-{letter}" for letter in "hbfdgace"]
    alike = Costs(total=8.0, by_component=dict.fromkeys(names, 1.0))
    report = synthetic_report()
    runs = [msgspec.structs.replace(run, disk_bytes_per_transfer=alike) for run in report.runs]
    exhibit = costs.disk(msgspec.structs.replace(report, runs=runs))
    assert exhibit is not None
    assert exhibit.table.rows[0][-1] == ", ".join(f"{name} 1" for name in names)


def test_the_page_needs_no_other_file(folder: Path) -> None:
    """The page refers to no other file."""
    references = re.findall(r'(?:src|href)="([^"]{5})|url\(([^)]{5})', (folder / "report.html").read_text())
    assert {a or b for a, b in references} == {"data:"}


def test_what_failed_its_audit_is_withheld_with_the_reason(folder: Path) -> None:
    """If cqrs failed its audit, the page gives the reason instead of figures, and no architecture is ahead."""
    page = (folder / "report.html").read_text()
    row = page[page.index('<th scope="row">zipf') :].partition("</tr>")[0]
    assert f"cqrs withheld: {LOST}" in row
    assert "ahead" not in row


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


def test_a_browser_shows_every_figure(folder: Path, browser: str) -> None:
    """In a browser each figure has a size and colours, nothing overflows, and the console has no messages."""
    page = measure(browser, folder / "report.html", WIDTH)
    assert page.complaints == []
    assert page.width == WIDTH
    assert len(page.figures) == len(FIGURES)
    height = int(max(figure.y + figure.height for figure in page.figures)) + 100
    with Image.open(screenshot(browser, folder / "report.html", WIDTH, height)) as image:
        picture = image.convert("RGB")
    for figure in page.figures:
        assert figure.loaded
        assert figure.width > WIDTH / 2
        assert figure.height > 100
        box = (figure.x, figure.y, figure.x + figure.width, figure.y + figure.height)
        shown = picture.crop(box).getcolors(maxcolors=1_000_000)
        assert shown, figure.alt
        assert len(shown) > 20, figure.alt


def test_the_architectures_keep_their_colours(folder: Path) -> None:
    """Each architecture has the same colour in every figure."""
    for name in (
        "throughput",
        "latency",
        "latency-distribution",
        "sweep",
        "consistency-delay",
        "recovery",
        "cpu",
    ):
        drawing = (folder / "figures" / f"{name}.svg").read_text().upper()
        assert colour("saga") in drawing
        assert colour("cqrs") in drawing
