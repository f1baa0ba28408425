"""Says how steady the machine was, and how often the method itself is wrong. Pure."""

from collections.abc import Iterable
from statistics import median

from wallet_lab.report.model import Report
from wallet_lab.report.second_runs import OVERALL, second_runs
from wallet_lab.report.selection import CEILING
from wallet_lab.report.wording import number
from wallet_lab.statistics.again import in_words
from wallet_lab.statistics.blocks import DRIFT_MAX


def conditions(report: Report) -> list[str]:
    """Return one sentence per condition that the report knows."""
    again = second_runs(report, CEILING)
    return [
        each
        for each in (
            in_words(again, OVERALL) if again else "",
            _drift(report),
            _idle(report),
            _client(report),
            _others(report),
        )
        if each
    ]


def _drift(report: Report) -> str:
    if not report.repeated_blocks:
        return ""
    again, left = sum(report.repeated_blocks.values()), sum(report.unsteady_blocks.values())
    limit = f"{100 * (DRIFT_MAX - 1):.0f} %"
    return (
        f"{again} blocks were measured again, because the speed of the control changed by more than {limit} during "
        f"them. In {left} blocks of the report, it changed by more than this also in the best attempt."
    )


def _idle(report: Report) -> str:
    shares = ", ".join(f"{name} {number(share)} %" for name, share in report.idle_cpu_percent.items())
    return (
        f"Without load, the stacks took these shares of the machine's CPU time: {shares}." if shares else ""
    )


def _client(report: Report) -> str:
    shares = _range(run.client_cpu_percent for run in report.runs)
    return f"During the loads, k6 took {shares} of the machine's CPU time." if shares else ""


def _others(report: Report) -> str:
    shares = _range(run.other_cpu_percent for run in report.runs)
    if not shares:
        return ""
    return (
        f"Everything except k6 and the measured stack took {shares}: the kernel's own threads, which write files to "
        "disk, the other stacks, the lab, and other programs. The costs of an architecture do not include it."
    )


def _range(shares: Iterable[float | None]) -> str:
    """Return the lowest, the highest and the median share in percent; empty if none is known."""
    known = [share for share in shares if share is not None]
    if not known:
        return ""
    low, high, middle = (number(of(known)) for of in (min, max, median))
    return f"{low} to {high} % (median {middle} %)"
