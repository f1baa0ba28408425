"""`./lab chaos`."""

from pathlib import Path
from statistics import quantiles
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from wallet_lab.architectures import find_with_ledger, listed, with_ledger
from wallet_lab.errors import LabError
from wallet_lab.nemesis import faults
from wallet_lab.nemesis.load import RATE_PER_S
from wallet_lab.nemesis.run import run_faults
from wallet_lab.report.model import FaultRun, Injection
from wallet_lab.report.wording import NOTHING
from wallet_lab.signals import INTERRUPTED, interruptible
from wallet_lab.stack.backend import Backend, BackendOption, stack_in_use
from wallet_lab.workload.command import finite

console = Console(highlight=False, soft_wrap=True)

COLUMNS = {
    "bound": "bound_affected_share",
    "other": "other_affected_share",
    "outage": "outage_s",
    "success": "first_success_s",
    "full rate": "full_throughput_s",
    "drained": "drained_s",
    "converged": "converged_s",
    "stale": "stale_ms_max",
}
"""The columns of the table: a heading, and the attribute of an injection."""


def chaos(
    architecture: Annotated[
        str,
        typer.Argument(
            metavar="ARCH", help=f"{listed(with_ledger())}. Uses the stack that is up, or starts one."
        ),
    ],
    fault: Annotated[
        str,
        typer.Option(help="A fault, such as kill-worker or pause-redis. An unknown name prints the list."),
    ],
    injections: Annotated[int, typer.Option(min=1, max=100, help="How often the fault is injected.")] = 1,
    rate: Annotated[
        float, typer.Option(min=1, callback=finite, help="Transfers that arrive per second.")
    ] = RATE_PER_S,
    keep: Annotated[Path | None, typer.Option(help="Folder for the evidence, as Parquet files.")] = None,
    on: BackendOption = Backend.NATIVE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Break a component under load, time the recovery and audit the books. Exits with 0 only if nothing was lost."""
    known = find_with_ledger(architecture)
    chosen = faults.find(known, fault)
    if chosen.action == "cut" and on is not Backend.DOCKER:
        raise LabError("only containers can be disconnected from the network: add --on docker")
    try:
        with interruptible(), stack_in_use(known.name, on) as stack:
            found = run_faults(stack, chosen, injections=injections, rate_per_s=rate, keep=keep)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print(msgspec.json.encode(found).decode())  # noqa: T201 -- for programs: Rich would wrap it
    else:
        for line in _lines(found):
            console.print(line, markup=False)
    raise typer.Exit(0 if found.verdict == "passed" else 1)


def _lines(found: FaultRun) -> list[str]:
    outcomes = found.outcomes
    return [
        f"{found.architecture}, {found.fault}: {found.verdict} {found.why}".rstrip(),
        *(table(found.injections) if found.injections else ()),
        (
            f"  transfers: {outcomes.success} success, {outcomes.pending} pending, {outcomes.unknown} unknown, "
            f"{outcomes.rejected} rejected, {_count(found.dropped_iterations)} not sent; lost: {_count(found.lost)}"
        ),
    ]


def _count(number: int | None) -> str:
    return NOTHING if number is None else str(number)


def table(found: list[Injection]) -> list[str]:
    """Return a line per injection, then the distribution of each column."""
    rows = [(f"{number}", _cells(each)) for number, each in enumerate(found, 1)]
    if len(found) > 1:
        rows += _distribution(found)
    heads = "".join(f"{head:>11}" for head in COLUMNS)
    return [
        f"  {'':<8}{heads}",
        *(f"  {name:<8}{''.join(f'{cell:>11}' for cell in cells)}" for name, cells in rows),
    ]


def _cells(each: Injection) -> list[str]:
    return [_cell(name, getattr(each, name)) for name in COLUMNS.values()]


def _distribution(found: list[Injection]) -> list[tuple[str, list[str]]]:
    columns = {name: _summary([getattr(each, name) for each in found]) for name in COLUMNS.values()}
    return [
        (label, [_cell(name, summary[label]) for name, summary in columns.items()])
        for label in ("quarter", "median", "3 / 4", "max")
    ]


def _summary(values: list[float | None]) -> dict[str, float | None]:
    """Return quartiles and maximum. A moment that was not reached is later than all others."""
    ordered = [float("inf") if value is None else value for value in values]
    cuts = quantiles(ordered, n=4, method="inclusive")
    named = dict(zip(("quarter", "median", "3 / 4", "max"), [*cuts, max(ordered)], strict=True))
    return {label: value if value < float("inf") else None for label, value in named.items()}


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return NOTHING
    if name.endswith("_share"):
        return f"{value:.0%}"
    return f"{value:.0f} ms" if name.endswith("_ms_max") else f"{value:.3f} s"
