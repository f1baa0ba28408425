"""`./lab audit`."""

import asyncio
from pathlib import Path
from typing import Annotated

import duckdb
import msgspec
import typer
from rich.console import Console

from wallet_lab.architectures import find_with_ledger, listed, with_ledger
from wallet_lab.audit.books import audit_stack
from wallet_lab.audit.sessions import NOT_ANSWERED
from wallet_lab.audit.told import Told
from wallet_lab.errors import LabError
from wallet_lab.record.reader import read_record
from wallet_lab.report.model import Audit, Check
from wallet_lab.stack.backend import Backend, BackendOption, attached
from wallet_lab.stack.backlog import wait_for_quiescence
from wallet_lab.stack.running import RunningStack

_STARTS = {
    Backend.NATIVE: "'./lab up {}'",
    Backend.DOCKER: "'docker compose -f docker-compose.{}.yml up --build --wait'",
}

console = Console(highlight=False, soft_wrap=True)


def audit(
    architecture: Annotated[
        str, typer.Argument(metavar="ARCH", help=f"{listed(with_ledger())}; it must be up.")
    ],
    calls: Annotated[
        Path | None,
        typer.Option(help="A record of k6 (CALLS=1). The audit looks up every transfer in the books."),
    ] = None,
    on: BackendOption = Backend.NATIVE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Wait until all work has ended, then check the books against every guarantee. Exits with 0 only if all hold."""
    stack = _stack(architecture, on)
    try:
        found = asyncio.run(_audit(stack, _calls_of(calls)))
    except NOT_ANSWERED as error:
        raise LabError(
            f"{architecture} cannot be audited, because a database or the cache does not answer ({error}); "
            f"'./lab status {architecture}' shows which"
        ) from None
    if as_json:
        print(msgspec.json.encode(found).decode())  # noqa: T201 -- for programs: Rich would wrap it
    else:
        for check in found.checks:
            _print(check)
    raise typer.Exit(0 if found.passed else 1)


def _stack(architecture: str, on: Backend) -> RunningStack:
    stack = attached(find_with_ledger(architecture).name, on)
    if stack is None:
        raise LabError(f"{architecture} is not up. Start it with {_STARTS[on].format(architecture)}.")
    return stack


def _calls_of(calls: Path | None) -> list[Told]:
    """Return the transfers of a record. The run's name is the part of their keys before the first dash."""
    if calls is None:
        return []
    with duckdb.connect() as database:
        read = read_record(database, calls)
    return [Told(read[0].key.partition("-")[0], read)] if read else []


async def _audit(stack: RunningStack, told: list[Told]) -> Audit:
    settled_s = await wait_for_quiescence(stack)
    checks = await audit_stack(stack, told)
    return Audit(passed=all(check.passed for check in checks), checks=checks, settled_s=settled_s)


def _print(check: Check) -> None:
    if check.passed:
        console.print(f"[green]passed[/green]  {check.name}")
        return
    console.print(f"[red]failed[/red]  {check.name}: found {check.found}")
    for sentence in check.violations:
        console.print(f"        {sentence}", markup=False)
