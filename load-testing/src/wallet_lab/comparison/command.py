"""`./lab compare` and `./lab report`."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated

import typer
from rich.console import Console

from wallet_lab import architectures
from wallet_lab.comparison.build_report import build_report, exit_code
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.machine import machine, versions
from wallet_lab.comparison.plan import FULL, QUICK, Session, estimate_s, plan
from wallet_lab.comparison.progress import in_words, progress
from wallet_lab.comparison.runner import run_sessions
from wallet_lab.errors import LabError
from wallet_lab.report.model import Report
from wallet_lab.signals import INTERRUPTED, interruptible
from wallet_lab.stack.backend import Backend, BackendOption, fresh_stack
from wallet_lab.stack.home import checkout

console = Console(highlight=False, soft_wrap=True)


def compare(
    quick: Annotated[
        bool, typer.Option("--quick", help="Short loads, one repeat: hints after six minutes.")
    ] = False,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1, max=25, help="How often every load and fault runs.  [default: 3; with --quick: 1]"
        ),
    ] = None,
    on: BackendOption = Backend.NATIVE,
    out: Annotated[Path | None, typer.Option(help="Folder of the report.  [default: results/<time>]")] = None,
) -> None:
    """Run the same loads and faults on both architectures, audit every run, and write a report."""
    started_at = datetime.now(UTC)
    folder = (out or checkout() / "results" / f"{started_at:%Y-%m-%dT%H-%M-%S}").resolve()
    _prepare(folder)
    extent = QUICK if quick else FULL
    sessions = plan(replace(extent, repeats=repeats) if repeats else extent, architectures.compared())
    console.print(
        f"This takes about {in_words(estimate_s(sessions))}. Ctrl-C stops it and still writes the report."
    )
    findings = Findings()
    complete = _carry_out(sessions, findings, on, folder)
    report = build_report(
        findings,
        command=_command(quick=quick, repeats=repeats, on=on),
        started_at=started_at,
        finished_at=datetime.now(UTC),
        complete=complete,
        machine=machine(),
        versions=versions(on),
    )
    _write(report, folder)
    raise typer.Exit(exit_code(findings) if complete else INTERRUPTED)


def _prepare(folder: Path) -> None:
    """Check before the comparison that the folder is writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise LabError(f"the report cannot be written to {folder}: {error.strerror}") from None


def _carry_out(sessions: list[Session], findings: Findings, on: Backend, folder: Path) -> bool:
    """Run all sessions; returns whether the comparison was complete. The evidence is kept in the report's folder."""
    try:
        with interruptible(), progress(console, sessions) as watch:
            run_sessions(sessions, findings, watch, lambda name: fresh_stack(name, on), folder / "evidence")
    except KeyboardInterrupt:
        console.print("Interrupted: all stacks are stopped. The report has the results so far.")
        return False
    return True


def _command(*, quick: bool, repeats: int | None, on: Backend) -> str:
    options = {"--quick": quick, f"--repeats {repeats}": repeats, f"--on {on}": on is not Backend.NATIVE}
    return " ".join(["./lab compare", *(option for option, given in options.items() if given)])


def report(
    folder: Annotated[Path, typer.Argument(help="Folder with a report.json, such as docs/results.")],
) -> None:
    """Regenerate the page and the figures from a report.json."""
    from wallet_lab.report.page import read_report  # noqa: PLC0415 -- see `_write`

    try:
        found = read_report(folder / "report.json")
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        raise LabError(f"{folder} has no report.json of this version: {error}") from None
    _prepare(folder)
    _write(found, folder)


def _write(found: Report, folder: Path) -> None:
    # A local import, because the drawing libraries take a second to import and no other command needs them.
    from wallet_lab.report.headlines import headlines  # noqa: PLC0415
    from wallet_lab.report.page import write_report  # noqa: PLC0415

    page = write_report(found, folder)
    for sentence in headlines(found):
        console.print(f"- {sentence}", markup=False)
    console.print(f"The report: {page}", markup=False)
