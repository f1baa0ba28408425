"""`./lab test`: every rule a change has to keep, in the order in which they are quick to check."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from wallet_lab.home import ARCHITECTURES, checkout
from wallet_lab.supervision.process import die_with

_console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Check:
    """One tool of the locked environment and its arguments."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a check went, how long it took, and what it printed if nobody watched."""

    check: Check
    passed: bool
    seconds: float
    output: str = ""


MUTATIONS = "tests/mutations"
RULES = (
    Check("ruff check", ("ruff", "check")),
    Check("ruff format", ("ruff", "format", "--check")),
    Check("mypy", ("mypy",)),
    Check("import-linter", ("lint-imports",)),
)


def tests(*, fast: bool) -> list[Check]:
    """The test runs; `fast` leaves out the tests marked slow."""
    slow_filter = ("-m", "not slow") if fast else ()
    # The same files, unchanged, against the other architecture.
    other = ("pytest", "tests/conformance", "tests/invariants", "--arch", "cqrs", *slow_filter)
    # Each mutation is a process of its own that mostly waits, so two run at once. All of them are slow.
    mutations = () if fast else (Check("mutations", ("pytest", MUTATIONS, "-n", "2")),)
    return [
        Check("pytest", ("pytest", "--ignore", MUTATIONS, *slow_filter)),
        Check("pytest, cqrs", other),
        *mutations,
    ]


def on_docker() -> list[Check]:
    """What compose and the images must keep, and the contract and the crashes on them; minutes each."""
    suites = ("tests/conformance", "tests/invariants/test_crashes.py")
    return [
        Check("pytest, compose", ("pytest", "tests/docker", "tests/availability", "--on", "docker")),
        *(
            Check(f"pytest, {name} on Docker", ("pytest", *suites, "--on", "docker", "--arch", name))
            for name in ARCHITECTURES
        ),
    ]


def run_all(*, fast: bool, docker: bool = False) -> int:
    """Run every check, also after a failure, and sum up; returns the exit code."""
    if docker:
        verdicts = [_run(check) for check in on_docker()]
    else:
        verdicts = (
            _run_beside_each_other() if fast else [_run(check) for check in (*RULES, *tests(fast=False))]
        )
    for verdict in verdicts:
        word = "[green]passed[/green]" if verdict.passed else "[red]failed[/red]"
        _console.print(f"{verdict.check.name:<14} {word} in {verdict.seconds:.1f} s")
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def _run_beside_each_other() -> list[Verdict]:
    """One test run to be watched, and all else beside it. Not for slow tests: they watch the clock."""
    watched, *others = tests(fast=True)
    with ThreadPoolExecutor(max_workers=1) as beside:
        running = [beside.submit(_run, check, watched=False) for check in (*others, *RULES)]
        try:
            verdicts = [_run(watched), *(one.result() for one in running)]
        except KeyboardInterrupt:
            beside.shutdown(cancel_futures=True)
            raise
    for verdict in verdicts[1:]:
        _console.rule(verdict.check.name)
        print(verdict.output, end="")  # noqa: T201 -- as the tool wrote it
    return verdicts


def _run(check: Check, *, watched: bool = True) -> Verdict:
    if watched:
        _console.rule(check.name)
    started_s = time.monotonic()
    finished = subprocess.run(
        check.argv,
        cwd=checkout(),
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=None if watched else subprocess.PIPE,
        stderr=None if watched else subprocess.STDOUT,
        text=True,
        preexec_fn=die_with(os.getpid(), signal.SIGTERM),
        check=False,
    )
    return Verdict(check, finished.returncode == 0, time.monotonic() - started_s, finished.stdout or "")


def _environment() -> dict[str, str]:
    # The tools of this environment come first, whatever else the user has on PATH.
    tools = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
