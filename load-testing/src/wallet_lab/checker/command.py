"""`./lab audit`."""

import asyncio
from pathlib import Path
from typing import Annotated

import duckdb
import msgspec
import typer
from rich.console import Console

from wallet_lab.architectures import find_with_ledger, listed, with_ledger
from wallet_lab.checker.audit import NOT_ANSWERED, Evidence, limits
from wallet_lab.checker.audit import audit as audit_stack
from wallet_lab.checker.check import checks
from wallet_lab.checker.evidence import opened
from wallet_lab.errors import LabError
from wallet_lab.record.reader import add_calls, read_record
from wallet_lab.report.model import Audit, Check
from wallet_lab.stack.backend import Backend, BackendOption, attached
from wallet_lab.stack.health.backlog import wait_for_quiescence
from wallet_lab.stack.running import RunningStack

_STARTS = {
    Backend.NATIVE: "'./lab up {}'",
    Backend.DOCKER: "'docker compose -f docker-compose.{}.yml up --build --wait'",
}

console = Console(highlight=False, soft_wrap=True)
_BOOKS = ("postgres", "redis")
"""The kinds of components that an audit reads."""


def audit(
    architecture: Annotated[
        str | None,
        typer.Argument(metavar="ARCH", help=f"{listed(with_ledger())}; it must be up."),
    ] = None,
    calls: Annotated[
        Path | None,
        typer.Option(help="The calls of the clients: a record of k6 (CALLS=1), or a folder of evidence."),
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Check this folder of evidence instead of a running stack.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="Keep the evidence of the running stack in this folder, as Parquet files."),
    ] = None,
    on: BackendOption = Backend.NATIVE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Wait until all work has ended, then check the books against every guarantee. Exits with 0 only if all hold."""
    found = _of_folder(evidence) if evidence is not None else _of_stack(architecture, on, calls, keep)
    if as_json:
        print(msgspec.json.encode(found).decode())  # noqa: T201 -- for programs: Rich would wrap it
    else:
        for check in found.checks:
            _print(check)
        for limit in found.limits:
            console.print(f"[yellow]limit[/yellow]   {limit}")
    raise typer.Exit(0 if found.passed else 1)


def _of_folder(folder: Path) -> Audit:
    if not (folder / "run.parquet").is_file():
        raise LabError(f"{folder} contains no evidence: there is no run.parquet.")
    try:
        with opened(folder) as database:
            return _audit(list(checks(database)), limits(database), None)
    except duckdb.Error as error:
        raise LabError(f"the evidence in {folder} is damaged: {error}") from None


def _of_stack(architecture: str | None, on: Backend, calls: Path | None, keep: Path | None) -> Audit:
    if architecture is None:
        raise LabError(f"name the architecture ({listed(with_ledger())}), or a folder with --evidence.")
    stack = _stack(architecture, on)
    _require_books(stack)
    evidence = Evidence.empty()
    if calls is not None:
        _add_calls(evidence, calls)
    try:
        return asyncio.run(_settled_audit(stack, evidence, keep))
    except NOT_ANSWERED as error:
        raise LabError(
            f"{architecture} cannot be audited, because a database or the cache does not answer ({error!r}); "
            f"'./lab status {architecture}' shows which"
        ) from None


def _add_calls(evidence: Evidence, calls: Path) -> None:
    if calls.is_dir():
        evidence.add_clients(calls)
        return
    read_record(evidence.database, calls)
    try:
        add_calls(evidence.database, calls.stem)
    except duckdb.Error as error:
        raise LabError(f"{calls} is not a record of calls: {error}") from None


def _stack(architecture: str, on: Backend) -> RunningStack:
    stack = attached(find_with_ledger(architecture).name, on)
    if stack is None:
        raise LabError(f"{architecture} is not up. Start it with {_STARTS[on].format(architecture)}.")
    return stack


def _require_books(stack: RunningStack) -> None:
    """Raise LabError with the names of the databases and caches that do not answer."""
    silent = [part.name for part in stack.components if part.kind in _BOOKS and not part.healthy]
    if silent:
        raise LabError(
            f"{stack.architecture} cannot be audited, because of components that do not answer: {', '.join(silent)}"
        )


async def _settled_audit(stack: RunningStack, evidence: Evidence, keep: Path | None) -> Audit:
    settled_s = await wait_for_quiescence(stack)
    found = await audit_stack(stack, evidence, settled_s, keep=keep)
    return _audit(found, limits(evidence.database), settled_s)


def _audit(found: list[Check], limits: list[str], settled_s: float | None) -> Audit:
    return Audit(
        passed=all(check.passed for check in found), checks=found, settled_s=settled_s, limits=limits
    )


def _print(check: Check) -> None:
    if check.passed:
        console.print(f"[green]passed[/green]  {check.name}")
        return
    console.print(f"[red]failed[/red]  {check.name}: found {check.found}")
    for sentence in check.violations:
        console.print(f"        {sentence}", markup=False)
    for operation in check.around:
        console.print(f"            {operation}", markup=False, style="dim")
