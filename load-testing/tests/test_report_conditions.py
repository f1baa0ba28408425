"""The conditions of a report: the shares of the machine's CPU time."""

from lab_support.synthetic import synthetic_report
from msgspec.structs import replace

from wallet_lab.report.conditions import conditions
from wallet_lab.report.runs_table import runs_table

OTHERS = "Everything except k6 and the measured stack took 6 to 15 % (median 11 %)"


def test_conditions_have_the_cpu_of_k6_and_of_everything_else() -> None:
    """The page says how much CPU time k6 took, and how much the kernel's threads and other programs took."""
    said = " ".join(conditions(synthetic_report()))
    assert "k6 took 22 to 22 % (median 22 %)" in said
    assert OTHERS in said


def test_share_that_is_not_known_is_not_mentioned() -> None:
    """A report of an earlier version has no CPU share of other programs, so the page has no sentence about it."""
    report = synthetic_report()
    old = replace(report, runs=[replace(run, other_cpu_percent=None) for run in report.runs])
    assert not any("Everything except" in sentence for sentence in conditions(old))


def test_table_of_runs_has_the_cpu_of_everything_else() -> None:
    """Each row of the table of runs has the share, and as many cells as there are headings."""
    table = runs_table(synthetic_report())
    place = table.headings.index("other CPU, %")
    assert {row[place] for row in table.rows if row[4] == "passed"} == set(map(str, range(6, 16)))
    assert {len(row) for row in table.rows} == {len(table.headings)}
