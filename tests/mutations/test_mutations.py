"""Every safeguard is needed: with it taken out of a copy of the sources, a named test fails (and it passes with it)."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCES = ("kernel/src", "saga/src", "event-driven-cqrs/src")
LAB = ("load-testing/src", "kernel/containers")
"""Copied only for a safeguard in what starts the services."""
TIMEOUT_S = 120

# Appended to every package of the copy: whoever imports it says so, a started service too.
WITNESS = """
import os as _os, sys as _sys
with open(_os.environ["WALLET_MUTATION_WITNESS"], "a") as _witness:
    print(" ".join(_sys.orig_argv), file=_witness)
"""


@dataclass(frozen=True)
class Mutation:
    """A safeguard taken out: in `file` the snippet `replace` gives way to `by`, and the test `fails`."""

    name: str
    file: str
    replace: str
    by: str
    fails: str
    process: str = "pytest"

    def __str__(self) -> str:
        return self.name


def mutations() -> Iterator[Mutation]:
    """All mutations, of every architecture."""
    for table in sorted(HERE.glob("*.toml")):
        for name, columns in tomllib.loads(table.read_text()).items():
            yield Mutation(name, **columns)


def copy_sources(target: Path, sources: tuple[str, ...] = SOURCES) -> None:
    """The sources as they are, each package with a witness."""
    for source in sources:
        shutil.copytree(ROOT / source, target / source, ignore=shutil.ignore_patterns("__pycache__"))
    for package in target.glob("*/src/*/__init__.py"):
        with package.open("a") as module:
            module.write(WITNESS)


def mutate(sources: Path, mutation: Mutation) -> None:
    """Takes the safeguard out of the copy."""
    file = sources / mutation.file
    text = file.read_text()
    found = text.count(mutation.replace)
    if found != 1:
        pytest.fail(
            f"{mutation}: its snippet stands {found} times in {mutation.file}, not once;"
            f" adapt the table to the code:\n{mutation.replace}"
        )
    file.write_text(text.replace(mutation.replace, mutation.by))


@dataclass(frozen=True)
class Verdict:
    """What became of the one test: who imported the copy, how the test ended, and all it printed."""

    witnesses: list[str]
    failures: list[str]
    errors: int
    tests: int
    output: str


def run_on(sources: Path, test: str) -> Verdict:
    """Runs one test with the copy first on the path, also of the services that it starts."""
    report, witness = sources / "report.xml", sources / "witness"
    witness.touch()
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(sources / source) for source in (*SOURCES, *LAB)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "WALLET_MUTATION_WITNESS": str(witness),
    }
    argv = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", test]
    finished = subprocess.run(
        argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    assert report.exists(), finished.stdout + finished.stderr
    suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314 -- pytest wrote it
    assert suite is not None
    return Verdict(
        witness.read_text().splitlines(),
        [failure.get("message", "") for failure in suite.iter("failure")],
        int(suite.get("errors", 0)),
        int(suite.get("tests", 0)),
        finished.stdout,
    )


def fails_by_assertion(verdict: Verdict) -> bool:
    """Whether the one test failed because of what it asserts, and for no other reason."""
    messages = [re.match(r"AssertionError|assert |Failed: DID NOT RAISE", text) for text in verdict.failures]
    return verdict.tests == 1 and not verdict.errors and len(messages) == 1 and messages[0] is not None


@pytest.mark.slow
@pytest.mark.parametrize("mutation", list(mutations()), ids=str)
def test_without_its_safeguard_the_test_fails(mutation: Mutation, tmp_path: Path) -> None:
    """Given a copy without one safeguard, when its test runs on the copy, then it fails, by an assertion."""
    tmp_path.chmod(0o755)  # the services' sources, and a database's account may run some of them
    is_the_labs = mutation.file.startswith(LAB)
    copy_sources(tmp_path, (*SOURCES, *LAB) if is_the_labs else SOURCES)
    mutate(tmp_path, mutation)
    verdict = run_on(tmp_path, mutation.fails)
    assert any(mutation.process in line for line in verdict.witnesses), "the copy was not what ran"
    assert fails_by_assertion(verdict), verdict.output


@pytest.mark.slow
def test_on_an_untouched_copy_a_test_passes(tmp_path: Path) -> None:
    """What fails above fails because of the mutation, not because it runs on a copy."""
    copy_sources(tmp_path)
    verdict = run_on(tmp_path, "saga/tests/test_steps.py::test_credit_gives_the_money_once")
    assert (verdict.tests, verdict.errors, verdict.failures) == (1, 0, [])
    assert verdict.witnesses


def test_a_snippet_that_is_gone_is_said_clearly(tmp_path: Path) -> None:
    """A mutation that no longer fits the code must not pass for one that was tried."""
    (tmp_path / "module.py").write_text("there = there\n")
    for snippet, times in (("gone", 0), ("there", 2)):
        with pytest.raises(pytest.fail.Exception, match=f"stands {times} times in module.py, not once"):
            mutate(tmp_path, Mutation("example", "module.py", snippet, "", "no test"))


@pytest.mark.parametrize(
    ("verdict", "judged"),
    [
        (Verdict([], ["AssertionError: assert 1 == 2"], 0, 1, ""), True),
        (Verdict([], ["Failed: DID NOT RAISE <class 'ValueError'>"], 0, 1, ""), True),
        (Verdict([], [], 0, 1, ""), False),
        (Verdict([], ["ImportError: no such name"], 0, 1, ""), False),
        (Verdict([], ["AssertionError: assert 1 == 2"], 1, 2, ""), False),
        (Verdict([], [], 1, 1, ""), False),
    ],
    ids=["assertion", "not raised", "passed", "import error", "and an error", "collection error"],
)
def test_only_an_assertion_counts(verdict: Verdict, *, judged: bool) -> None:
    """A test that breaks instead of failing proves nothing."""
    assert fails_by_assertion(verdict) is judged
