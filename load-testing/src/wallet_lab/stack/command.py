"""`./lab up`, `down`, `status` and `logs`."""

import contextlib
import inspect
import json
import select
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wallet_lab.architectures import every, find, listed, with_ledger
from wallet_lab.errors import LabError
from wallet_lab.signals import INTERRUPTED, interruptible
from wallet_lab.stack.files.home import StackHome, supervisor_pid
from wallet_lab.stack.health.degraded import read_degraded
from wallet_lab.stack.health.status import is_healthy, read_status
from wallet_lab.stack.layout import SHARDS_MAX, decide_shards
from wallet_lab.stack.request import Request
from wallet_lab.stack.stack_selection import home_of_log, homes, shown_homes, stack_home
from wallet_lab.stack.supervision import control, logs
from wallet_lab.stack.supervision.progress import progress

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

REPLICAS_MAX = 16


def up(
    architecture: Annotated[
        str,
        typer.Argument(metavar="ARCH", help=f"The architecture to start: {listed(with_ledger())}."),
    ],
    shards: Annotated[
        int | None, typer.Option(min=1, max=SHARDS_MAX, help="Number of shards (databases).  [default: 2]")
    ] = None,
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the data of earlier runs first.")] = False,
    monitoring: Annotated[
        bool,
        typer.Option(
            "--monitoring", help="Start Prometheus too. It also scrapes the other architecture if that is up."
        ),
    ] = False,
    **replicas: int,
) -> None:
    """Start an architecture and return when it is ready. It runs until `down`."""
    home = stack_home(architecture)
    is_up = supervisor_pid(home) is not None
    if is_up and fresh:
        raise control.no_fresh_start(home)
    request = Request(
        shards=decide_shards(home, shards, fresh=fresh),
        replicas=replicas,
        monitoring=monitoring,
        fresh=fresh,
    )
    if is_up:
        _already_up(home, request)
        return
    with progress(f"Starting {architecture}") as watch:
        state = _start(home, request, watch)
    _print_welcome(state)


def _with_replica_options(signature: inspect.Signature) -> inspect.Signature:
    """Replace `**replicas` by an option for each replicated service of any architecture."""
    given = signature.parameters.values()
    before = [one for one in given if one.kind is one.POSITIONAL_OR_KEYWORD]
    after = [one for one in given if one.kind is one.KEYWORD_ONLY]
    options = [
        inspect.Parameter(
            service.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=1,
            annotation=Annotated[int, typer.Option(min=1, max=REPLICAS_MAX, help=service.help)],
        )
        for architecture in every()
        for service in architecture.replicas
        if service.help
    ]
    return signature.replace(parameters=[*before, *options, *after])


up.__signature__ = _with_replica_options(inspect.signature(up))  # type: ignore[attr-defined] # Typer reads it


def _already_up(home: StackHome, request: Request) -> None:
    with progress(f"Waiting for {home.architecture}") as watch:
        state = control.join(home, watch)
    if not _has_all(state, request):
        raise LabError(
            f"{home.architecture} is up, but with fewer replicas than requested or without monitoring; "
            f"take it down with './lab down {home.architecture}' first."
        )
    console.print(f"{home.architecture} is already up at {state['base_url']}")
    _print_degraded(state)


def _has_all(state: dict[str, Any], request: Request) -> bool:
    """Whether the running stack has at least the requested replicas, and monitoring if it was requested."""
    up_now = Counter(component["kind"] for component in state["components"])
    replicated = find(state["architecture"]).replicas
    fewer = any(0 < up_now[each.kind] < request.number_of(each.name) for each in replicated)
    return not fewer and (bool(up_now["prometheus"]) or not request.monitoring)


def _start(home: StackHome, request: Request, watch: control.Watcher) -> dict[str, Any]:
    owner: control.Owner | None = None
    with interruptible():
        try:
            owner = control.Owner(home, request)
            state = owner.wait_ready(watch)
            owner.release()
        except KeyboardInterrupt:
            if owner is not None:
                owner.abandon()
            errors.print(f"lab: interrupted; all processes of {home.architecture} are stopped")
            raise typer.Exit(INTERRUPTED) from None
    return state


def _print_welcome(state: dict[str, Any]) -> None:
    base_url = state["base_url"]
    for note in state["notes"]:
        console.print(f"[yellow]{note}[/yellow]")
    console.print(
        f"[bold]{state['architecture']} is ready at {base_url}[/bold]  (API description: {base_url}/docs)"
    )
    _print_degraded(state)
    console.print("Try it:")
    body = '{"accountId": "user1", "currency": "USD", "balance": 100}'
    console.print(
        f"  curl -X POST {base_url}/wallets -H 'Content-Type: application/json' -d '{body}'", markup=False
    )
    console.print(f"  curl {base_url}/wallets/user1/balance", markup=False)


def _print_degraded(state: dict[str, Any]) -> None:
    for sentence in read_degraded(state["components"]):
        console.print(f"[yellow]{escape(sentence)}[/yellow]")


def down(
    architecture: Annotated[
        str | None, typer.Argument(metavar="[ARCH]", help="Default: every architecture that is up.")
    ] = None,
) -> None:
    """Stop an architecture. Its data stay for the next `up`."""
    for home in homes(architecture):
        with progress(f"Stopping {home.architecture}") as watch:
            was_up = control.stop(home, watch)
        if was_up or architecture:
            console.print(f"{home.architecture} is down" if was_up else f"{home.architecture} was not up")


def status(
    architecture: Annotated[
        str | None, typer.Argument(metavar="[ARCH]", help="Default: every architecture that is up.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the health of every component. Exits with 0 only if all are healthy."""
    found = [read_status(home) for home in shown_homes(architecture)]
    if as_json:
        _print_object(found)
    else:
        for one in found:
            _print_status(one)
    raise typer.Exit(0 if all(is_healthy(one) for one in found) else 1)


def _print_object(found: list[dict[str, Any]]) -> None:
    if len(found) > 1:
        raise LabError(
            f"several architectures are up. Name one of {', '.join(one['architecture'] for one in found)}."
        )
    print(json.dumps(found[0]))  # noqa: T201 -- for programs: Rich would wrap it


def _print_status(found: dict[str, Any]) -> None:
    if not found["components"]:
        console.print(f"{found['architecture']} is not up")
        return
    table = Table(title=f"{found['architecture']} at {found['base_url'] or '(starting)'}")
    for heading in ("component", "kind", "pid", "port", "shard", "health"):
        table.add_column(heading)
    for component in found["components"]:
        health = "[green]healthy[/green]" if component["healthy"] else "[red]unhealthy[/red]"
        cells = (component["pid"] or "-", component["port"], component.get("shard", ""))
        table.add_row(component["name"], component["kind"], *map(str, cells), health)
    console.print(table)
    _print_degraded(found)


def show_logs(
    component: Annotated[
        str | None, typer.Argument(help="A component, such as worker-0 or supervisor.  [default: all]")
    ] = None,
    architecture: Annotated[
        str | None,
        typer.Option("--arch", help="The architecture. Default: the one that is up and has this component."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show new lines until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Number of last lines.")] = 100,
) -> None:
    """Show the last log lines of a component, or of all."""
    home = home_of_log(component, architecture)
    paths = _log_paths(home, component)
    for name, line in logs.read_logs(paths, lines):
        _print_line(name, line, named=component is None)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for name, line in logs.follow(paths, until=_nobody_reads):
                _print_line(name, line, named=component is None)


def _nobody_reads() -> bool:
    """Whether the reader of the output pipe, such as `head`, has closed it. Without new lines, no write would fail."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in output.poll(0))


def _log_paths(home: StackHome, component: str | None) -> list[Path]:
    paths = sorted(home.logs.glob("*.log"))
    chosen = [path for path in paths if component in {None, path.stem}]
    if not chosen:
        known = ", ".join(path.stem for path in paths) or "none yet"
        raise LabError(f"there is no log of {component or home.architecture}. The logs are: {known}.")
    return chosen


def _print_line(name: str, line: str, *, named: bool) -> None:
    print(f"{name}: {line}" if named else line, flush=True)  # noqa: T201 -- log lines are printed unchanged
