"""`./lab test`: every check that a change must pass, several at the same time."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from wallet_lab import architectures
from wallet_lab.stack.files.home import checkout
from wallet_lab.stack.supervision.process import die_with
from wallet_lab.testing.parts import PART, PARTS, part_of_commit

_console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Check:
    """One tool of the locked environment and its arguments."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A check's exit code, its duration, its output if it ran in the background, and the tests that failed once.

    A test that failed once has passed when it was repeated alone.
    """

    check: Check
    exit_code: int
    seconds: float
    output: str = ""
    failed_once: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every test passed, some of them perhaps when they were repeated."""
        return self.exit_code == 0


TWO_WORKERS = ("-n", "2", "--dist", "loadfile")
"""For the folder that takes the longest. Without them, all other checks end before it does."""
MUTATIONS = "tests/mutations"
WRONG_BUILDS = "load-testing/tests/test_wrong_builds.py"
"""They run apart, because they take about as long as all other tests of their folder."""
OF_BASELINES = (
    "tests/conformance/test_idempotency.py",
    "tests/invariants/test_crashes.py::test_killing_everything_loses_nothing",
)
"""Tests of the parts that each baseline solves in its own way. `two-phase` also runs the code of the others."""
RULES = (
    Check("ruff check", ("ruff", "check")),
    Check("ruff format", ("ruff", "format", "--check")),
    Check("mypy", ("mypy",)),
    Check("import-linter", ("lint-imports",)),
)


AT_ONCE = 3
"""Checks that run at the same time. Most tests wait for servers about half of the time."""

TESTS_FAILED = 1
"""The exit code of pytest if it ran all tests and some failed (`pytest.ExitCode.TESTS_FAILED`)."""
REPEATED_MAX = 5
"""Failed tests of one check that are repeated alone. If more fail, the change is the likely cause."""

ALONE = Check(
    "pytest, alone", ("pytest", "load-testing/tests/test_faults.py", "tests/availability", "-m", "alone")
)
"""The tests that measure the whole machine. It names their files, because collecting all others takes long."""


def tests(*, fast: bool) -> list[Check]:
    """Return the test runs that may share the machine, the longest first; `fast` leaves out the tests marked slow."""
    chosen = ("-m", "not slow and not alone" if fast else "not alone")
    # The folders run against the first architecture of the registry, and these two against the others as well.
    others = [
        Check(f"pytest, {folder} on {name}", ("pytest", folder, "--arch", name, *chosen))
        for name in architectures.patterns()[1:]
        for folder in ("tests/invariants", "tests/conformance")
    ]
    # All mutations are slow.
    mutations = () if fast else (Check("mutations", ("pytest", MUTATIONS)),)
    apart = ("--ignore", MUTATIONS, "--ignore", WRONG_BUILDS)
    members = [
        Check(f"pytest, {folder}", ("pytest", folder, *apart, *chosen, *(TWO_WORKERS if number == 0 else ())))
        for number, folder in enumerate(_folders())
    ]
    wrong_builds = Check("pytest, wrong builds", ("pytest", WRONG_BUILDS, *chosen))
    baseline = () if fast else (Check("pytest, two-phase", ("pytest", *OF_BASELINES, "--arch", "two-phase")),)
    return [members[0], *mutations, wrong_builds, *members[1:4], *others, *members[4:], *baseline]


def _folders() -> list[str]:
    """Return the folders of tests, as pytest's configuration lists them."""
    configuration = tomllib.loads((checkout() / "pyproject.toml").read_text())
    folders: list[str] = configuration["tool"]["pytest"]["ini_options"]["testpaths"]
    return folders


def on_docker() -> list[Check]:
    """Return the tests on Docker: compose files, images, contract and crashes. Each takes minutes."""
    suites = ("tests/conformance", "tests/invariants/test_crashes.py")
    return [
        Check("pytest, compose", ("pytest", "tests/docker", "tests/availability", "--on", "docker")),
        *(
            Check(f"pytest, {name} on Docker", ("pytest", *suites, "--on", "docker", "--arch", name))
            for name in architectures.patterns()
        ),
    ]


def run_all(*, fast: bool, docker: bool = False, every: bool = True) -> int:
    """Run every check, even after a failure, and print a summary; returns the exit code.

    Unless `every`, the commit chooses a third of the mutations and a third of the wrong builds.
    """
    # A shell that starts a job in the background makes it ignore Ctrl-C, and tests send Ctrl-C to their processes.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with _temporary_folder() as folder:
        os.environ["TMPDIR"] = folder
        if not every:
            _take_part()
        if docker:
            verdicts = [_watch(check) for check in on_docker()]
        else:
            alone = [] if fast else [_watch(_with_cache(ALONE, folder))]
            beside = [_with_cache(check, folder) for check in (*RULES, *tests(fast=fast))]
            verdicts = [_repeated(verdict, folder) for verdict in (*alone, *_run_beside_each_other(beside))]
    for verdict in verdicts:
        _print(verdict)
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def _print(verdict: Verdict) -> None:
    word = "[green]passed[/green]" if verdict.passed else "[red]failed[/red]"
    _console.print(f"{verdict.check.name:<34} {word} in {verdict.seconds:.1f} s")
    for test in verdict.failed_once:
        _console.print(f"    [yellow]failed once, passed alone[/yellow]: {escape(test)}")


def _take_part() -> None:
    part = part_of_commit(checkout())
    os.environ[PART] = str(part)
    _console.print(
        f"Of the mutations and wrong builds, this commit runs part {part + 1} of {PARTS}: --all runs all parts."
    )


@contextlib.contextmanager
def _temporary_folder() -> Iterator[str]:
    """Make the folder for the temporary files of all checks, and remove it at the end.

    Its attribute T makes ext4 spread the folders in it over the disk. Otherwise ext4 puts their files next to each
    other, and without a journal it does not use an inode that was deleted within the last minute. The tests delete
    thousands of files a minute, and each new file then took 0.7 ms of CPU time.
    """
    with tempfile.TemporaryDirectory(prefix="wallet-tests-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # the databases' account must be able to enter it
        chattr = shutil.which("chattr")
        if chattr is not None:  # other file systems than ext4 refuse
            subprocess.run((chattr, "+T", folder), capture_output=True, check=False)
        yield folder


def _with_cache(check: Check, folder: str) -> Check:
    """Give a run of pytest its own cache, where it records the tests that failed."""
    if check.argv[0] != "pytest":
        return check
    return replace(check, argv=(*check.argv, "-o", f"cache_dir={_cache(check, folder)}"))


def _cache(check: Check, folder: str) -> Path:
    return Path(folder) / check.name.replace("/", "-")


def _repeated(verdict: Verdict, folder: str) -> Verdict:
    """Run the tests of a check that failed once more, one after the other, while nothing else runs.

    The checks share the machine, so a test can fail because it had too little of it. CPython's `regrtest --rerun`
    also repeats failed tests alone. Nothing is repeated if pytest did not run all tests, or if too many failed.
    """
    cache = _cache(verdict.check, folder)
    failed = _failed(cache)
    if verdict.exit_code != TESTS_FAILED or not 0 < len(failed) <= REPEATED_MAX:
        return verdict
    again = ("-n", "0", "--last-failed", "--last-failed-no-failures", "none")
    repeated = _watch(Check(f"{verdict.check.name}, failed tests alone", (*verdict.check.argv, *again)))
    seconds = verdict.seconds + repeated.seconds
    if not repeated.passed or _failed(cache):  # pytest removes only tests that have passed
        return replace(verdict, seconds=seconds)
    return replace(verdict, exit_code=0, seconds=seconds, failed_once=failed)


def _failed(cache: Path) -> tuple[str, ...]:
    """Return the tests that a run of pytest recorded as failed."""
    record = cache / "v" / "cache" / "lastfailed"
    return tuple(json.loads(record.read_text())) if record.exists() else ()


def _run_beside_each_other(checks: Sequence[Check]) -> list[Verdict]:
    """Run a few checks at a time in this order, and print the output of each at its end."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as beside:
        running = [beside.submit(_run, check, subprocess.PIPE) for check in checks]
        try:
            for ended in as_completed(running):
                _console.rule(ended.result().check.name)
                print(ended.result().output, end="", flush=True)  # noqa: T201 -- the tool's own output, unchanged
        except KeyboardInterrupt:
            beside.shutdown(cancel_futures=True)
            raise
    return [one.result() for one in running]


def _watch(check: Check) -> Verdict:
    """Run a check while its output is shown."""
    _console.rule(check.name)
    return _run(check, None)


def _run(check: Check, output: int | None) -> Verdict:
    started_s = time.monotonic()
    finished = subprocess.run(
        check.argv,
        cwd=checkout(),
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output and subprocess.STDOUT,
        text=True,
        preexec_fn=die_with(os.getpid(), signal.SIGTERM),
        check=False,
    )
    return Verdict(check, finished.returncode, time.monotonic() - started_s, finished.stdout or "")


def _environment() -> dict[str, str]:
    # The tools of this environment take precedence over others on the user's PATH.
    tools = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
