"""The commands of `./lab`."""

import os
import subprocess
import sys
from typing import Annotated

import typer
from rich.console import Console

from wallet_lab import architectures, checks
from wallet_lab.architectures.adapter import OwnCommand
from wallet_lab.checker.command import audit
from wallet_lab.comparison.command import compare, report
from wallet_lab.comparison.targets.command import NAME, targets
from wallet_lab.environment_variables import clean_own, of_service
from wallet_lab.errors import LabError
from wallet_lab.nemesis.command import chaos
from wallet_lab.stack.addresses import Addresses
from wallet_lab.stack.command import down, show_logs, status, up
from wallet_lab.stack.files.home import supervisor_pid
from wallet_lab.stack.stack_selection import stack_home
from wallet_lab.unexpected_errors import describe_unexpected
from wallet_lab.workload.command import bench

app = typer.Typer(
    help="Run, watch and test the wallet's architectures on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> None:
    """Run the command line. Print an error as one message, without a traceback."""
    clean_own()
    try:
        app(_joined(sys.argv[1:]), prog_name="./lab")
    except LabError as error:
        errors.print(f"lab: {error}", markup=False)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 -- the outermost handler
        errors.print(f"lab: {describe_unexpected(error)}", markup=False)
        sys.exit(1)


def _joined(arguments: list[str]) -> list[str]:
    """Return the arguments with `bench --targets` as the name of one command, because its options differ."""
    bench_name, _, option = NAME.partition(" ")
    if arguments[:1] != [bench_name] or option not in arguments:
        return arguments
    return [NAME, *(each for each in arguments[1:] if each != option)]


app.command()(up)
app.command()(down)
app.command()(status)
app.command("logs")(show_logs)


def _add(command: OwnCommand, architecture: str) -> None:
    """Add a command that only this architecture has."""

    def run() -> None:
        home = stack_home(architecture)
        if supervisor_pid(home) is None:
            raise LabError(f"{architecture} is not up. Start it with './lab up {architecture}'.")
        process = command.native(Addresses(home))
        env = {**of_service(os.environ), **process.env}
        raise typer.Exit(subprocess.run(process.argv, env=env, check=False).returncode)

    app.command(command.name, help=command.help)(run)


for each in architectures.every():
    for own in each.commands:
        _add(own, each.name)

app.command()(compare)
app.command()(report)
app.command()(bench)
app.command(NAME)(targets)
app.command()(chaos)
app.command()(audit)


@app.command("test")
def run_tests(
    fast: Annotated[bool, typer.Option("--fast", help="Skip the slow tests.")] = False,
    docker: Annotated[
        bool, typer.Option("--docker", help="Run only the tests on Docker, which the other runs leave out.")
    ] = False,
    every: Annotated[
        bool,
        typer.Option(
            "--all", help="Run all mutations and wrong builds, not the third that the commit chooses."
        ),
    ] = False,
) -> None:
    """Check style, types and architecture rules, and run the tests."""
    if fast and docker:
        raise LabError("all tests on Docker are slow: use --fast or --docker, not both")
    raise typer.Exit(checks.run_all(fast=fast, docker=docker, every=every))
