"""`./lab compare` and `./lab report`."""

import shlex
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated

import typer
from msgspec.structs import replace
from rich.console import Console

from wallet_lab import architectures
from wallet_lab.comparison.build_report import build_report, exit_code, failures
from wallet_lab.comparison.csv_file import write_csv
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.machine import machine, versions
from wallet_lab.comparison.options import choose, extent
from wallet_lab.comparison.plan import SUSTAINED, Plan, plan
from wallet_lab.comparison.progress import in_words, progress
from wallet_lab.comparison.runner import run_plan
from wallet_lab.comparison.stacks import FreshStack
from wallet_lab.errors import LabError
from wallet_lab.report.model import Report
from wallet_lab.signals import INTERRUPTED, interruptible
from wallet_lab.stack.backend import Backend, BackendOption, fresh_stack
from wallet_lab.stack.files.home import checkout
from wallet_lab.stack.layout import SHARDS_MAX
from wallet_lab.workload.command import finite
from wallet_lab.workload.cores import separate_cores

console = Console(highlight=False, soft_wrap=True)


def compare(
    quick: Annotated[
        bool, typer.Option("--quick", help="Short loads and few blocks: an answer within eight minutes.")
    ] = False,
    arch: Annotated[
        str | None,
        typer.Option(help="The architectures to compare, separated by commas.", show_default=False),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Only these parts, separated by commas or named repeatedly.", show_default=False),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="Only these faults, such as kill-postgres, as in --scenario.", show_default=False),
    ] = None,
    blocks: Annotated[
        int | None,
        typer.Option(min=1, max=50, help="Blocks of each scenario.  [default: 10; with --quick: 6]"),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(min=1, callback=finite, help="Seconds of each load.  [default: 2.5; with --quick: 1.5]"),
    ] = None,
    sustained: Annotated[
        float | None,
        typer.Option(min=20, callback=finite, help="Seconds of each sustained run.  [default: 600]"),
    ] = None,
    shards: Annotated[
        int | None, typer.Option(min=1, max=SHARDS_MAX, help="Databases that hold the wallets.  [default: 2]")
    ] = None,
    replicas: Annotated[
        int | None,
        typer.Option(min=1, max=8, help="Replicas of each service that can have several.  [default: 1]"),
    ] = None,
    on: BackendOption = Backend.NATIVE,
    out: Annotated[Path | None, typer.Option(help="Folder of the report.  [default: results/<time>]")] = None,
    csv: Annotated[Path | None, typer.Option(help="File for the runs, as CSV.")] = None,
) -> None:
    """Run the same loads and faults on all architectures, audit them, and write a report.

    Exits with 0 only if everything ran and all audits passed.
    """
    started_at = datetime.now(UTC)
    choice = choose(arch, scenario, fault, can_cut=on is Backend.DOCKER)
    size = extent(
        quick=quick,
        blocks=blocks,
        duration=duration,
        sustained=sustained,
        named=SUSTAINED in (choice.scenarios or ()),
    )
    chosen = plan(size, choice, architectures.control())
    folder = (out or checkout() / "results" / f"{started_at:%Y-%m-%dT%H-%M-%S}").resolve()
    _prepare(folder, csv)
    console.print(
        f"This takes about {in_words(chosen.estimate_s)}. Ctrl-C stops it and still writes the report."
    )
    findings = Findings()
    start = partial(fresh_stack, backend=on, shards=shards, replicas=replicas, gateway=chosen.has_gateway)
    complete = _carry_out(chosen, findings, start, folder)
    report = build_report(
        findings,
        command=_command(sys.argv[1:]),
        started_at=started_at,
        finished_at=datetime.now(UTC),
        complete=complete,
        machine=replace(machine(), client_cores=findings.client_cores),
        versions=versions(on),
    )
    page = _write(report, folder)
    if csv is not None:
        write_csv(report, csv)
    _show(report, page)
    for sentence in failures(findings):
        console.print(f"! {sentence}", markup=False)
    raise typer.Exit(exit_code(findings) if complete else INTERRUPTED)


def _prepare(folder: Path, csv: Path | None = None) -> None:
    """Check before the comparison that the folder and the file are writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
        if csv is not None:
            csv.open("ab").close()
    except OSError as error:
        place = csv if csv is not None and error.filename == str(csv) else folder
        raise LabError(f"the report cannot be written to {place}: {error.strerror}") from None


def _carry_out(chosen: Plan, findings: Findings, stack: FreshStack, folder: Path) -> bool:
    """Run the plan; returns whether the comparison was complete. The evidence is kept in the report's folder."""
    try:
        with interruptible(), separate_cores() as cores, progress(console, chosen.estimate_s) as watch:
            findings.client_cores = cores
            run_plan(chosen, findings, watch, stack, folder / "evidence")
    except KeyboardInterrupt:
        console.print("Interrupted: all stacks are stopped. The report has the results so far.")
        return False
    return True


def _command(arguments: list[str]) -> str:
    """Return the command line as the user wrote it."""
    return shlex.join(["./lab", *arguments])


def report(
    folder: Annotated[Path, typer.Argument(help="Folder with a report.json, such as docs/results.")],
) -> None:
    """Regenerate the page and the figures from a report.json; for docs/results, also docs/choose.md."""
    from wallet_lab.report.choose import update  # noqa: PLC0415 -- see `_write`
    from wallet_lab.report.page import read_report  # noqa: PLC0415

    try:
        found = read_report(folder / "report.json")
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        raise LabError(f"{folder} has no report.json of this version: {error}") from None
    _prepare(folder)
    page = _write(found, folder)
    if folder.resolve() == checkout() / "docs" / "results":
        update(checkout() / "docs" / "choose.md", found)
    _show(found, page)


def _write(found: Report, folder: Path) -> Path:
    # A local import, because the drawing libraries take a second to import and no other command needs them.
    from wallet_lab.report.page import write_report  # noqa: PLC0415

    return write_report(found, folder)


def _show(found: Report, page: Path) -> None:
    """Print the decisions. Only call it after all files are written, because a broken pipe ends the command here."""
    from wallet_lab.report.terminal import print_decisions  # noqa: PLC0415 -- see `_write`

    print_decisions(found, console)
    console.print(f"The report: {page}", markup=False)
