"""The report names the architectures whose audits used the API alone."""

from io import StringIO
from pathlib import Path

import pytest
from lab_support.synthetic import CHECKS, synthetic_report, without_books
from rich.console import Console

from wallet_lab.report.charts.audits import audits
from wallet_lab.report.choose import BEGIN, END, with_decisions
from wallet_lab.report.model import API_ALONE
from wallet_lab.report.page import write_report
from wallet_lab.report.proof import api_alone, proof
from wallet_lab.report.terminal import print_decisions

SAID = "The audits of acid used the API alone, because the lab cannot read these books."


def test_proof_names_the_architecture_whose_books_were_not_read() -> None:
    """The sentence about the audits names acid only; without such an audit, it says nothing about the API."""
    report = synthetic_report()
    assert api_alone(report) == ""
    assert SAID in proof(without_books(report, "acid"))


def test_several_architectures_without_books_are_named_once() -> None:
    """Each architecture is named once, however many audits it has."""
    report = without_books(without_books(synthetic_report(), "acid"), "saga")
    assert api_alone(report).startswith("The audits of saga and acid used")


def test_terminal_and_choose_page_name_it() -> None:
    """The end of a comparison and the generated part of docs/choose.md have the same sentence as the page."""
    report = without_books(synthetic_report(), "acid")
    console = Console(width=400, record=True, file=StringIO())
    print_decisions(report, console)
    assert SAID in console.export_text()
    assert SAID in with_decisions(f"{BEGIN}{END}", report)


def test_figure_of_the_audits_leaves_out_checks_that_were_not_made() -> None:
    """The note about the API is no row, a check that was left out has no result, and the caption says why."""
    found = audits(without_books(synthetic_report(), "acid"))
    assert found
    rows = {(check, name) for check, name, *_ in found.table.rows}
    assert (CHECKS[0], "acid") in rows
    assert (CHECKS[-1], "saga") in rows
    assert (CHECKS[-1], "acid") not in rows
    assert API_ALONE not in {check for check, _ in rows}
    assert SAID in found.caption


@pytest.mark.slow
def test_page_names_it_at_the_top_and_in_the_figure_of_the_audits(tmp_path: Path) -> None:
    """The HTML page has the sentence before the decision table and in the caption of the audits."""
    page = write_report(without_books(synthetic_report(1), "acid"), tmp_path).read_text()
    assert SAID in page[: page.index("<table")]
    assert SAID in page[page.index('id="audits"') :]
