"""The figures of faults: the share of affected calls, and reports of an earlier version."""

import json
from pathlib import Path

import pytest
from lab_support.synthetic import synthetic_report
from msgspec.json import encode
from msgspec.structs import replace

from wallet_lab.report.charts.faults import affected_calls, affected_share
from wallet_lab.report.model import Injection
from wallet_lab.report.page import read_report


def injection(bound: tuple[int, float | None], other: tuple[int, float | None]) -> Injection:
    """Return an injection of the example with other calls: the number and the affected share of each group."""
    (bound_calls, bound_share), (other_calls, other_share) = bound, other
    return replace(
        synthetic_report().faults[0].injections[0],
        bound_calls=bound_calls,
        bound_affected_share=bound_share,
        other_calls=other_calls,
        other_affected_share=other_share,
    )


@pytest.mark.parametrize(
    ("bound", "other", "share"),
    [
        ((100, 1.0), (300, 0.0), 0.25),
        ((0, None), (300, 0.5), 0.5),
        ((50, 0.5), (0, None), 0.5),
        ((0, None), (0, None), None),
    ],
)
def test_share_of_both_groups_counts_every_call_once(
    bound: tuple[int, float | None], other: tuple[int, float | None], share: float | None
) -> None:
    """A fault that breaks all of 100 calls and none of 300 others has affected a quarter of the load."""
    assert affected_share(injection(bound, other)) == share


def test_table_of_affected_calls_has_the_share_of_the_whole_load() -> None:
    """The table has a column for each group and one for both together, in the same order in every row."""
    exhibit = affected_calls(synthetic_report())
    assert exhibit
    *_, needing, other, both, _ = exhibit.table.headings
    assert (needing, other) == ("calls that need the component, % affected", "other calls, % affected")
    assert both == "both together, % affected"
    assert len({len(row) for row in exhibit.table.rows} | {len(exhibit.table.headings)}) == 1


def test_report_with_members_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """An earlier version also wrote a timeline of each fault. It is left out, and everything else is read."""
    report = json.loads(encode(synthetic_report()))
    for fault in report["faults"]:
        fault["timeline"] = [{"at_s": 0.1, "acked_per_s": 1.0, "unknown_per_s": 0.0, "rejected_per_s": 0.0}]
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert read_report(tmp_path / "report.json") == synthetic_report()
