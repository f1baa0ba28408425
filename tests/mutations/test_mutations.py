"""Every safeguard is needed: if it is removed from a copy of the sources, a named test fails."""

import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.mutations.forked_pytest import run_pytest
from wallet_lab.stack.files.temporary_home import temporary_home
from wallet_lab.testing.migrated import PREPARED, prepare
from wallet_lab.testing.parts import is_in_part

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCES = ("kernel/src", "saga/src", "event-driven-cqrs/src", "baselines/src")
LAB = ("load-testing/src", "kernel/containers")
"""The code that starts the services. It finds its other files in the copy."""
TIMEOUT_S = 240
CLUSTERS = (
    ("wallet_saga.migrations", (), 1),
    ("wallet_cqrs.migrations", ("events",), 1),
    ("wallet_cqrs.migrations", ("events",), 2),
    ("wallet_cqrs.migrations", ("read",), 2),
)
"""The migrations, their arguments and the numbers of shards of the clusters that most tests use."""
UNFINISHED = shutil.ignore_patterns("*.pyc.*")
"""Byte code that another process is writing. The copy gets the rest, because compiling takes a second."""

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


def sources_of(mutation: Mutation) -> tuple[str, ...]:
    """The sources to copy: those with the changed file."""
    if mutation.file.startswith(LAB):
        return (*SOURCES, *LAB)
    return tuple(source for source in SOURCES if mutation.file.startswith(f"{source}/"))


def copy_sources(target: Path, sources: tuple[str, ...] = SOURCES) -> None:
    """Copies the sources and their byte code, with a witness in each package."""
    for source in sources:
        shutil.copytree(ROOT / source, target / source, ignore=UNFINISHED)
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


def run_on(sources: Path, test: str, **variables: str) -> Verdict:
    """Runs one test with the copy first on the import path, also in the services that it starts."""
    report, witness, output = sources / "report.xml", sources / "witness", sources / "output"
    witness.touch()
    copies = [sources / source for source in (*SOURCES, *LAB)]
    own = {
        "PYTHONPATH": os.pathsep.join(map(str, copies)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "WALLET_MUTATION_WITNESS": str(witness),
    }
    run_pytest(
        f"--junitxml={report}",
        f"--basetemp={sources / 'tmp'}",
        test,
        import_first=copies,
        variables={**own, **variables},
        output=output,
        timeout_s=TIMEOUT_S,
    )
    assert report.exists(), output.read_text()
    suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314 -- pytest wrote it
    assert suite is not None
    return Verdict(
        witness.read_text().splitlines(),
        [failure.get("message", "") for failure in suite.iter("failure")],
        int(suite.get("errors", 0)),
        int(suite.get("tests", 0)),
        output.read_text(),
    )


def fails_by_assertion(verdict: Verdict) -> bool:
    """Whether the only test failed by an assertion, without any error."""
    messages = [re.match(r"AssertionError|assert |Failed: DID NOT RAISE", text) for text in verdict.failures]
    return verdict.tests == 1 and not verdict.errors and len(messages) == 1 and messages[0] is not None


@pytest.fixture(scope="session")
def clusters() -> Iterator[Path]:
    """A folder with Postgres clusters that the unchanged migrations made. The tests run on copies of them."""
    with temporary_home(None) as folder:
        for module, arguments, shards in CLUSTERS:
            prepare(folder, module, *arguments, shards=shards)
        yield folder


def may_change_clusters(mutation: Mutation) -> bool:
    """Whether the code that makes and migrates a cluster may use the changed file."""
    return mutation.file.startswith(("kernel/", *LAB)) or "/migrations/" in mutation.file


@pytest.mark.slow
@pytest.mark.parametrize("mutation", [one for one in mutations() if is_in_part(one.name)], ids=str)
def test_without_its_safeguard_the_test_fails(mutation: Mutation, tmp_path: Path, clusters: Path) -> None:
    """A test fails by an assertion when its safeguard is removed from a copy of the sources."""
    tmp_path.chmod(0o755)  # other accounts read the sources: those of the services, and the database's
    copy_sources(tmp_path, sources_of(mutation))
    mutate(tmp_path, mutation)
    variables = {} if may_change_clusters(mutation) else {PREPARED: str(clusters)}
    verdict = run_on(tmp_path, mutation.fails, **variables)
    assert any(mutation.process in line for line in verdict.witnesses), "the test did not run the copy"
    assert fails_by_assertion(verdict), verdict.output


@pytest.mark.slow
def test_test_passes_on_an_unchanged_copy(tmp_path: Path) -> None:
    """On an unchanged copy the test passes, so failures above come from the mutation and not from the copy."""
    copy_sources(tmp_path)
    verdict = run_on(tmp_path, "saga/tests/test_decisions.py::test_duplicate_credit_moves_no_money")
    assert (verdict.tests, verdict.errors, verdict.failures) == (1, 0, [])
    assert verdict.witnesses


def test_migrations_import_only_each_other_and_the_kernel() -> None:
    """No other file decides the schema, so the mutations of all others can use the prepared clusters."""
    files = [file for source in SOURCES for file in (ROOT / source).glob("*/migrations/**/*.py")]
    text = "\n".join(file.read_text() for file in files)
    imported = set(re.findall(r"^(?:from|import) (wallet_\S+)", text, re.MULTILINE))
    assert {"wallet_kernel.migrations", "wallet_cqrs.migrations.settings"} <= imported
    assert [name for name in imported if not re.match(r"wallet_kernel\.|wallet_\w+\.migrations", name)] == []


def test_missing_snippet_fails_with_a_clear_message(tmp_path: Path) -> None:
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
