"""The commands of `./lab`."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from wallet_lab import checks, control, cqrs_stack, logs
from wallet_lab.audit.command import audit
from wallet_lab.bench.command import bench
from wallet_lab.chaos.command import chaos
from wallet_lab.compare.command import compare, report
from wallet_lab.errors import LabError
from wallet_lab.home import ARCHITECTURES, StackHome, default_home, supervisor_pid
from wallet_lab.interrupting import INTERRUPTED, interruptible
from wallet_lab.layout import decide_shards
from wallet_lab.saga_stack import Request
from wallet_lab.status import is_healthy, read_status

app = typer.Typer(
    help="Run, watch and test the wallet's architectures on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> None:
    """Run the command line; an error the user can act on is one message, not a traceback."""
    try:
        app(prog_name="./lab")
    except LabError as error:
        errors.print(f"lab: {error}", markup=False)
        sys.exit(1)


@app.command()
def up(
    architecture: Annotated[str, typer.Argument(metavar="ARCH", help="Which one to start: saga or cqrs.")],
    shards: Annotated[
        int | None, typer.Option(min=1, max=64, help="Databases to spread over.  [default: 2]")
    ] = None,
    orchestrators: Annotated[
        int, typer.Option(min=1, max=16, help="Orchestrators behind the public port (saga).")
    ] = 1,
    commands: Annotated[int, typer.Option(min=1, max=16, help="Command services (cqrs).")] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Wipe the data of earlier runs first.")] = False,
    monitoring: Annotated[
        bool, typer.Option("--monitoring", help="With Prometheus, which watches the other one as well.")
    ] = False,
) -> None:
    """Start an architecture and return when it is ready; it runs until `down`."""
    home = _stack_home(architecture)
    if supervisor_pid(home) is not None:
        _already_up(home, shards, fresh=fresh)
        return
    if fresh:
        home.wipe()
    request = Request(
        shards=decide_shards(home, shards),
        orchestrators=orchestrators,
        commands=commands,
        monitoring=monitoring,
    )
    with _progress(f"Starting {architecture}") as watch:
        state = _start(home, request, watch)
    _print_welcome(state)


def _already_up(home: StackHome, shards: int | None, *, fresh: bool) -> None:
    if fresh:
        raise LabError(
            f"{home.architecture} is up; take it down with './lab down {home.architecture}' before --fresh."
        )
    decide_shards(home, shards)
    with _progress(f"Waiting for {home.architecture}") as watch:
        state = control.join(home, watch)
    console.print(f"{home.architecture} is already up at {state['base_url']}")


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
            errors.print(f"lab: interrupted; nothing of {home.architecture} is left running")
            raise typer.Exit(INTERRUPTED) from None
    return state


@contextlib.contextmanager
def _progress(title: str) -> Iterator[control.Watcher]:
    """Show what one waits for: a live line on a terminal, otherwise one line each time it changes."""
    said: list[str] = []

    def say(text: str, show: Callable[[str], object]) -> None:
        if not said or said[-1] != text:
            said.append(text)
            show(text)

    if not console.is_terminal:
        yield lambda state: say(_waiting(title, state), errors.print)
        return
    with console.status(title) as line:
        yield lambda state: say(_waiting(title, state), line.update)


def _waiting(title: str, state: dict[str, Any]) -> str:
    waiting_for = ", ".join(state.get("waiting_for") or [])
    return f"{title}: waiting for {waiting_for}" if waiting_for else title


def _print_welcome(state: dict[str, Any]) -> None:
    base_url = state["base_url"]
    for note in state["notes"]:
        console.print(f"[yellow]{note}[/yellow]")
    console.print(
        f"[bold]{state['architecture']} is ready at {base_url}[/bold]  (API description: {base_url}/docs)"
    )
    console.print("Try it:")
    body = '{"accountId": "user1", "currency": "USD", "balance": 100}'
    console.print(
        f"  curl -X POST {base_url}/wallets -H 'Content-Type: application/json' -d '{body}'", markup=False
    )
    console.print(f"  curl {base_url}/wallets/user1/balance", markup=False)


@app.command()
def down(
    architecture: Annotated[
        str | None, typer.Argument(metavar="[ARCH]", help="Default: whatever is up.")
    ] = None,
) -> None:
    """Stop an architecture; its data stay for the next `up`."""
    for home in _homes(architecture):
        with _progress(f"Stopping {home.architecture}") as watch:
            was_up = control.stop(home, watch)
        if was_up or architecture:
            console.print(f"{home.architecture} is down" if was_up else f"{home.architecture} was not up")


@app.command()
def status(
    architecture: Annotated[
        str | None, typer.Argument(metavar="[ARCH]", help="Default: the one that is up.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show every component and whether it answers; exits with 0 only if all do."""
    found = read_status(_one_home(architecture))
    if as_json:
        print(json.dumps(found))  # noqa: T201 -- for programs: Rich would wrap it
    else:
        _print_status(found)
    raise typer.Exit(0 if is_healthy(found) else 1)


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


@app.command("logs")
def show_logs(
    component: Annotated[
        str | None, typer.Argument(help="Such as worker-0 or supervisor.  [default: all]")
    ] = None,
    architecture: Annotated[str | None, typer.Option("--arch", help="Default: the one that is up.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 100,
) -> None:
    """Show the last lines a component wrote, or all of them."""
    home = _one_home(architecture)
    paths = _log_paths(home, component)
    for name, line in logs.read_logs(paths, lines):
        _print_line(name, line, named=component is None)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for name, line in logs.follow(paths):
                _print_line(name, line, named=component is None)


def _log_paths(home: StackHome, component: str | None) -> list[Path]:
    paths = sorted(home.logs.glob("*.log"))
    chosen = [path for path in paths if component in {None, path.stem}]
    if not chosen:
        known = ", ".join(path.stem for path in paths) or "none yet"
        raise LabError(f"there is no log of {component or home.architecture}; there are: {known}")
    return chosen


def _print_line(name: str, line: str, *, named: bool) -> None:
    print(f"{name}: {line}" if named else line, flush=True)  # noqa: T201 -- logs go out as they came in


@app.command()
def rebuild() -> None:
    """Build the read model of cqrs anew from the events, beside the live one, and swap; clients notice nothing."""
    raise typer.Exit(_maintain(verify=False))


@app.command()
def verify() -> None:
    """Compare the read model of cqrs with the events, row by row; exits with 0 only if they are equal."""
    raise typer.Exit(_maintain(verify=True))


def _maintain(*, verify: bool) -> int:
    home = _stack_home("cqrs")
    if supervisor_pid(home) is None:
        raise LabError("cqrs is not up; './lab up cqrs' starts it")
    command = cqrs_stack.rebuild(home, verify=verify)
    return subprocess.run(command.argv, env={**os.environ, **command.env}, check=False).returncode


app.command()(compare)
app.command()(report)
app.command()(bench)
app.command()(chaos)
app.command()(audit)


@app.command("test")
def run_tests(
    fast: Annotated[bool, typer.Option("--fast", help="Leave the slow tests out.")] = False,
    docker: Annotated[
        bool, typer.Option("--docker", help="Only the tests on Docker, which no other run has.")
    ] = False,
) -> None:
    """Check style, types and architecture rules, and run the tests."""
    if fast and docker:
        raise LabError("the tests on Docker are all slow: say --fast or --docker")
    raise typer.Exit(checks.run_all(fast=fast, docker=docker))


def _stack_home(architecture: str) -> StackHome:
    if architecture not in ARCHITECTURES:
        raise LabError(f"there is no architecture '{architecture}'; there are: {', '.join(ARCHITECTURES)}")
    return StackHome(default_home(), architecture)


def _homes(architecture: str | None) -> list[StackHome]:
    return [_stack_home(name) for name in ([architecture] if architecture else ARCHITECTURES)]


def _one_home(architecture: str | None) -> StackHome:
    """The named stack, else the one that is up, else the first: it says itself that it is not up."""
    homes = _homes(architecture)
    up_now = [home for home in homes if supervisor_pid(home) is not None]
    if len(up_now) > 1:
        raise LabError(f"several are up: say which of {', '.join(home.architecture for home in up_now)}")
    return (up_now or homes)[0]
