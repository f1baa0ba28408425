"""`./lab report`, if the reader of its output has ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab_support.synthetic import synthetic_report
from msgspec.json import encode
from msgspec.structs import replace

from wallet_lab.report.choose import BEGIN, END
from wallet_lab.report.model import Report

pytestmark = pytest.mark.slow

REPORT = """
import sys
from pathlib import Path
from wallet_lab import cli
from wallet_lab.comparison import command

checkout = Path(sys.argv[1])
command.checkout = lambda: checkout
sys.argv = ["lab", "report", str(checkout / "docs" / "results")]
cli.main()
"""
"""Runs the command in a checkout of the test."""


def without_figures(report: Report) -> Report:
    """Returns the report without results, because drawing all figures takes half a minute of CPU time."""
    return replace(
        report,
        runs=[],
        consistency_delay_ms=[],
        recovery=[],
        capacities=[],
        sustained=[],
        faults=[],
        sizes=[],
    )


def test_report_writes_all_files_if_its_output_is_not_read(tmp_path: Path) -> None:
    """If the reader of the output has ended, as after `| head`, all files are written and there is no message."""
    results, choose = tmp_path / "docs" / "results", tmp_path / "docs" / "choose.md"
    results.mkdir(parents=True)
    (results / "report.json").write_bytes(encode(without_figures(synthetic_report())))
    choose.write_text(f"{BEGIN}\nof another report\n{END}\n")
    reader, output = os.pipe()
    os.close(reader)
    try:
        finished = subprocess.run(
            [sys.executable, "-c", REPORT, str(tmp_path)],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=90,
        )
    finally:
        os.close(output)
    assert finished.stderr == ""
    assert (results / "report.html").exists()
    assert "of another report" not in choose.read_text()
