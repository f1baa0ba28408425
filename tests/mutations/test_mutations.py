"""Every safeguard is needed: if it is removed from a copy of the sources, a named test fails."""

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
SOURCES = ("kernel/src", "saga/src", "event-driven-cqrs/src", "baselines/src")
LAB = ("load-testing/src", "kernel/containers")
"""Copied only if the safeguard is in the code that starts the services."""
TIMEOUT_S = 240

# Appended to every package of the copy. Each process that imports it, also a service, writes its command
# line.
WITNESS = """
import os as _os, sys as _sys
with open(_os.environ["WALLET_MUTATION_WITNESS"], "a") as _witness:
    print(" ".join(_sys.orig_argv), file=_witness)
"""


@dataclass(frozen=True)
class Mutation:
    """A removed safeguard: in `file`, `by` replaces the snippet `replace`, and the test `fails` must fail."""

    name: str
    file: str
    replace: str
    by: str
    fails: str
    process: str = "pytest"

    def __str__(self) -> str:
        return self.name


def mutations() -> Iterator[Mutation]:
    """All mutations of all architectures."""
    for table in sorted(HERE.glob("*.toml")):
        for name, columns in tomllib.loads(table.read_text()).items():
            yield Mutation(name, **columns)


def copy_sources(target: Path, sources: tuple[str, ...] = SOURCES) -> None:
    """Copies the sources and their byte code, with a witness in each package."""
    for source in sources:
        shutil.copytree(ROOT / source, target / source)
    for package in target.glob("*/src/*/__init__.py"):
        with package.open("a") as module:
            module.write(WITNESS)


def mutate(sources: Path, mutation: Mutation) -> None:
    """Removes the safeguard from the copy."""
    file = sources / mutation.file
    text = file.read_text()
    found = text.count(mutation.replace)
    if found != 1:
        pytest.fail(
            f"{mutation}: its snippet occurs {found} times in {mutation.file}, not once."
            f" Change the table in tests/mutations to match the code:\n{mutation.replace}"
        )
    file.write_text(text.replace(mutation.replace, mutation.by))
    # Python recognises changed sources by their size and the second of their change, which both may be the same.
    for byte_code in file.parent.glob(f"__pycache__/{file.stem}.*"):
        byte_code.unlink()


@dataclass(frozen=True)
class Verdict:
    """The result of one test: the processes that imported the copy, the failures, the counts and the output."""

    witnesses: list[str]
    failures: list[str]
    errors: int
    tests: int
    output: str


def run_on(sources: Path, test: str) -> Verdict:
    """Runs one test with the copy first on the import path, also in the services that it starts."""
    report, witness = sources / "report.xml", sources / "witness"
    witness.touch()
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(sources / source) for source in (*SOURCES, *LAB)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "WALLET_MUTATION_WITNESS": str(witness),
    }
    # Other plugins would take longer to load than most tests take to run.
    plugins = ["-p", "no:cacheprovider", "-p", "anyio", "-p", "pytest_timeout"]
    argv = [sys.executable, "-P", "-m", "pytest", *plugins, f"--junitxml={report}", test]
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
    """Whether the only test failed by an assertion, without any error."""
    messages = [re.match(r"AssertionError|assert |Failed: DID NOT RAISE", text) for text in verdict.failures]
    return verdict.tests == 1 and not verdict.errors and len(messages) == 1 and messages[0] is not None


@pytest.mark.slow
@pytest.mark.parametrize("mutation", list(mutations()), ids=str)
def test_without_its_safeguard_the_test_fails(mutation: Mutation, tmp_path: Path) -> None:
    """A test fails by an assertion when its safeguard is removed from a copy of the sources."""
    tmp_path.chmod(0o755)  # other accounts read the sources: those of the services, and the database's
    is_the_labs = mutation.file.startswith(LAB)
    copy_sources(tmp_path, (*SOURCES, *LAB) if is_the_labs else SOURCES)
    mutate(tmp_path, mutation)
    verdict = run_on(tmp_path, mutation.fails)
    assert any(mutation.process in line for line in verdict.witnesses), "the test did not run the copy"
    assert fails_by_assertion(verdict), verdict.output


@pytest.mark.slow
def test_on_an_untouched_copy_a_test_passes(tmp_path: Path) -> None:
    """On an unchanged copy the test passes, so failures above come from the mutation and not from the copy."""
    copy_sources(tmp_path)
    verdict = run_on(tmp_path, "saga/tests/test_decisions.py::test_credit_gives_the_money_once")
    assert (verdict.tests, verdict.errors, verdict.failures) == (1, 0, [])
    assert verdict.witnesses


def test_a_snippet_that_is_gone_is_said_clearly(tmp_path: Path) -> None:
    """A mutation whose snippet does not occur exactly once fails with a clear message."""
    (tmp_path / "module.py").write_text("there = there\n")
    for snippet, times in (("gone", 0), ("there", 2)):
        with pytest.raises(pytest.fail.Exception, match=f"occurs {times} times in module.py, not once"):
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
    """Only a failed assertion counts; an error proves nothing."""
    assert fails_by_assertion(verdict) is judged
