"""`./lab bench --targets`."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from wallet_lab import architectures
from wallet_lab.architectures.adapter import Architecture
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.machine import machine, versions
from wallet_lab.comparison.options import words
from wallet_lab.comparison.progress import in_words, progress
from wallet_lab.comparison.targets.against import EACH_S
from wallet_lab.comparison.targets.plan import Chosen, Extent, Session, sessions
from wallet_lab.comparison.targets.results import Result, TargetReport, exit_code, results
from wallet_lab.comparison.targets.rows import AGAINST, EARLIER, GROWTH, chosen_rows, rows
from wallet_lab.comparison.targets.run import run_against, run_session
from wallet_lab.comparison.targets.terminal import print_results
from wallet_lab.errors import LabError
from wallet_lab.signals import INTERRUPTED, interruptible
from wallet_lab.stack.backend import Backend
from wallet_lab.workload.command import check_writable, finite
from wallet_lab.workload.cores import separate_cores

NAME = "bench --targets"
USUAL = Extent()
console = Console(highlight=False, soft_wrap=True)


def targets(
    only: Annotated[
        list[str] | None,
        typer.Option("--rows", help="Only these rows, separated by commas. An unknown name prints the list."),
    ] = None,
    arch: Annotated[
        str | None, typer.Option(help="The architectures, separated by commas; usually all with targets.")
    ] = None,
    blocks: Annotated[
        int, typer.Option(min=1, max=50, help="Blocks of each part, and repeats of the consistency delay.")
    ] = USUAL.blocks,
    duration: Annotated[
        float, typer.Option(min=1, callback=finite, help="Seconds of each load.")
    ] = USUAL.load_s,
    against: Annotated[
        Path | None, typer.Option(help="Folder of another checkout, for the rows that compare with it.")
    ] = None,
    growth: Annotated[
        bool, typer.Option("--growth", help="Also measure 1 and 8 shards, and a million wallets.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="File for the results, as JSON; the folder of the evidence is next to it."),
    ] = None,
) -> None:
    """Measure the performance targets of the architectures: print target, figure and verdict of each row.

    Exits with 0 if every row that the options ask for was measured and all audits passed. A figure that misses its
    target does not change the exit code.
    """
    started_at = datetime.now(UTC)
    chosen = choose(only, arch)
    options = frozenset(
        name for name, is_given in ((AGAINST, against is not None), (GROWTH, growth)) if is_given
    )
    asked = replace(chosen, rows=tuple(row for row in chosen.rows if not row.needs or row.needs in options))
    _check_places(against, out)
    findings = Findings()
    complete = _carry_out(asked, Extent(blocks=blocks, load_s=duration), against, findings, out)
    found = results(chosen.rows, chosen.architectures, findings, options)
    print_results(found, findings, console)
    if out is not None:
        report = _report(found, findings, started_at, complete=complete)
        out.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    raise typer.Exit(exit_code(found, findings) if complete else INTERRUPTED)


def choose(only: Sequence[str] | None, arch: str | None) -> Chosen:
    """Return the rows and architectures of the options.

    Raises:
        LabError: a name is unknown, or an architecture has no targets; the text lists the valid names.
    """
    control, baseline = architectures.control(), architectures.baseline()
    known = rows(control.name, baseline.name)
    return Chosen(chosen_rows(known, words(only or ())), _architectures(arch), control, baseline)


def _architectures(arch: str | None) -> tuple[Architecture, ...]:
    known = {one.name: one for one in architectures.every() if one.performance_targets}
    names = words([arch]) if arch else tuple(known)
    for name in names:
        if name not in known:
            raise LabError(f"'{name}' has no performance targets; these have: {', '.join(known)}")
    return tuple(known[name] for name in names)


def _check_places(against: Path | None, out: Path | None) -> None:
    """Check before the measurement that the other checkout exists and that the output file is writable."""
    if against is not None and not (against / "lab").is_file():
        raise LabError(f"{against} is not a checkout of this project: it has no file 'lab'")
    if out is not None:
        check_writable(out)


def _carry_out(
    asked: Chosen, extent: Extent, against: Path | None, findings: Findings, out: Path | None
) -> bool:
    """Measure everything; returns whether it was complete."""
    planned: list[Session] = sessions(asked, extent)
    estimate_s = sum(each.plan.estimate_s for each in planned) + EACH_S * len(asked.of_part(EARLIER))
    console.print(f"This takes about {in_words(estimate_s)}. Ctrl-C stops it and still prints the table.")
    evidence = out and out.with_name(f"{out.stem}-evidence")
    try:
        with interruptible(), separate_cores() as cores, progress(console, estimate_s) as watch:
            findings.client_cores = cores
            for session in planned:
                run_session(session, findings, watch, evidence)
            if against is not None:
                run_against(against, asked, extent.blocks, findings, watch)
    except KeyboardInterrupt:
        console.print("Interrupted: all stacks are stopped. The table has the results so far.")
        return False
    return True


def _report(found: list[Result], findings: Findings, started_at: datetime, *, complete: bool) -> TargetReport:
    return TargetReport(
        command=shlex.join(["./lab", *sys.argv[1:]]),
        started_at=started_at,
        finished_at=datetime.now(UTC),
        complete=complete,
        machine=msgspec.structs.replace(machine(), client_cores=findings.client_cores),
        versions=versions(Backend.NATIVE),
        results=found,
        runs=findings.runs,
        consistency_delay_ms=findings.delays,
        capacities=findings.capacities,
        repeated_blocks=findings.repeated_blocks,
        unsteady_blocks=findings.unsteady_blocks,
        idle_cpu_percent=findings.idle_cpu_percent,
        not_run=findings.not_run,
    )
