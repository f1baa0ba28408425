"""docs/method.md states the rules and the simulation of the lab as the code has them."""

import re
from pathlib import Path

import pytest

from wallet_lab.comparison.simulation.machine import FIGURES, WORLDS
from wallet_lab.comparison.simulation.report import FAULTS, RECOVERY, Extent
from wallet_lab.statistics import blocks, differences, verdicts

PAGE = (Path(__file__).parents[2] / "docs/method.md").read_text()
RULES = {
    "COVERAGE": f"{100 * differences.COVERAGE:.0f} %",
    "ERROR_RATE": f"{100 * verdicts.ERROR_RATE:.0f} %",
    "BAND": f"1/{differences.BAND:.2f} to {differences.BAND:.2f}",
    "BLOCKS_FOR_A_VERDICT": f"{blocks.BLOCKS_FOR_A_VERDICT}",
    "DRIFT_MAX": f"{blocks.DRIFT_MAX:.2f}",
}


def column(heading: str) -> list[str]:
    """The first column of the table with this heading, without the heading."""
    table = PAGE.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)


@pytest.mark.parametrize(("name", "value"), RULES.items())
def test_page_has_the_value_of_a_rule(name: str, value: str) -> None:
    """The table of rules has the value that the code has."""
    assert f"| {value} | `{name}` |" in PAGE


def test_limits_come_first() -> None:
    """The first section of the page states the limits of the method."""
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE)[0] == "Limits"


def test_tables_of_the_simulation_have_its_rows() -> None:
    """The tables have one row for each kind of noise, and rows for each figure."""
    assert column("noise") == [noise.name for noise in WORLDS]
    assert set(column("figure")) == {*(figure.name for figure in FIGURES), RECOVERY}


def test_page_has_the_extent_of_the_simulation() -> None:
    """The number of cells on the page is that of a simulated report."""
    extent, contests = Extent(), 3
    cells = contests * (extent.scenarios * len(FIGURES) + len(FAULTS))
    assert f"{cells} cells" in PAGE
    for figure in FIGURES:
        assert f"{figure.noise:.2f} for {figure.name.removeprefix('server ')}" in " ".join(PAGE.split())
