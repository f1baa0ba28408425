"""`./lab test`: every check that a change must pass, the fastest first."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from wallet_lab import architectures
from wallet_lab.stack.home import checkout
from wallet_lab.stack.process import die_with

_console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Check:
    """One tool of the locked environment and its arguments."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a check passed, its duration, and its output if it ran in the background."""

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
    """Return the test runs; `fast` leaves out the tests marked slow."""
    slow_filter = ("-m", "not slow") if fast else ()
    # The same test files, against the other architecture.
    other = ("pytest", "tests/conformance", "tests/invariants", "--arch", "cqrs", *slow_filter)
    # Each mutation is a process that mostly waits, so three run at once. All of them are slow.
    mutations = () if fast else (Check("mutations", ("pytest", MUTATIONS, "-n", "3")),)
    return [
        Check("pytest", ("pytest", "--ignore", MUTATIONS, *slow_filter)),
        Check("pytest, cqrs", other),
        *mutations,
    ]


def on_docker() -> list[Check]:
    """Return the tests on Docker: compose files, images, contract and crashes. Each takes minutes."""
    suites = ("tests/conformance", "tests/invariants/test_crashes.py")
    return [
        Check("pytest, compose", ("pytest", "tests/docker", "tests/availability", "--on", "docker")),
        *(
            Check(f"pytest, {name} on Docker", ("pytest", *suites, "--on", "docker", "--arch", name))
            for name in architectures.on_docker()
        ),
    ]


def run_all(*, fast: bool, docker: bool = False) -> int:
    """Run every check, even after a failure, and print a summary; returns the exit code."""
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
    """Run one check in the foreground and the others in the background. Not for slow tests: they measure time."""
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
        print(verdict.output, end="")  # noqa: T201 -- the tool's own output, unchanged
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
    # The tools of this environment take precedence over others on the user's PATH.
    tools = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
