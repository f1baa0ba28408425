"""A stack of the user: described by one file, measured, broken and audited like an architecture of the registry."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wallet_lab import architectures
from wallet_lab.errors import LabError
from wallet_lab.nemesis.faults import find as find_fault
from wallet_lab.nemesis.run import run_faults
from wallet_lab.report.model import API_ALONE, Run
from wallet_lab.stack.files.home import checkout
from wallet_lab.stack.files.temporary_home import temporary_home
from wallet_lab.testing import RunningStack, running_stack
from wallet_lab.workload.run import run_scenario
from wallet_lab.workload.scenarios import find as find_scenario

TEMPLATE = checkout() / "load-testing/templates/own-stack"
BANK_S = 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the template, with a name of its own, because a process knows only one stack of each name."""
    copy = tmp_path / "stack"
    shutil.copytree(TEMPLATE, copy)
    changed(copy / "wallet-stack.toml", 'name = "mine"', f'name = "mine-{os.urandom(4).hex()}"')
    return copy


def changed(file: Path, old: str, new: str) -> None:
    """Replace a text that occurs once in a file."""
    text = file.read_text()
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new))


def bank(folder: Path) -> Run:
    """Run the scenario that uses the whole contract on the stack in a folder."""
    with running_stack(architectures.find(os.fspath(folder)).name) as stack:
        return run_scenario(stack, find_scenario("bank").lasting(BANK_S), warm_up_s=0)


@pytest.mark.slow
def test_template_passes_the_audit_through_the_api(folder: Path) -> None:
    """The template's stack is measured, and its audit says that it used the API alone."""
    run = bank(folder)
    assert (run.verdict, run.why) == ("passed", "")
    assert run.acked_per_s
    assert run.audit is not None
    names = [check.name for check in run.audit.checks]
    assert names[0] == API_ALONE
    assert "every acknowledged transfer is in the books once" in names
    assert "servers keep what they acknowledge" not in names


CREDIT = "self._post(payee, kind, amount, transaction_id, payer, at)"
WRONG = {
    "doubled credit": (CREDIT, CREDIT.replace("amount", "amount * (1 + (kind == 'transfer'))")),
    "lost credit": (CREDIT, f"kind == 'transfer' or {CREDIT}"),
    "lost transfer": ("if reason is None:", "if reason is None and (kind != 'transfer' or amount % 7):"),
    "forgotten key": ("owner, key, meaning)", "owner, None, meaning)"),
    "wrong balance": ('"balance": money(wallet["balance"])', '"balance": money(wallet["balance"] + 1)'),
    "ignored freeze": ('if wallet["status"] != "active":', 'if wallet["status"] == "closed":'),
    "hidden posting": ("amount <> 0 ORDER", "amount % 10 <> 0 ORDER"),
}


@pytest.mark.slow
@pytest.mark.parametrize("lie", WRONG)
def test_wrong_stack_fails_the_audit_through_the_api(folder: Path, lie: str) -> None:
    """The API alone is enough to find wrong balances, lost and doubled money, and requests that are done twice."""
    changed(folder / "server.py", *WRONG[lie])
    run = bank(folder)
    assert run.verdict == "failed", run.why


@pytest.mark.slow
def test_killed_stack_loses_nothing(folder: Path) -> None:
    """A process of the stack is killed under load and started again, and the audit passes."""
    own = architectures.find(os.fspath(folder))
    with running_stack(own.name) as stack:
        found = run_faults(stack, find_fault(own, "kill-server"), rate_per_s=20)
    assert (found.verdict, found.why, found.lost) == ("passed", "", 0)


@pytest.fixture(scope="module")
def acid() -> Iterator[RunningStack]:
    """A stack whose database a user's stack uses as well."""
    with running_stack("acid") as stack:
        yield stack


SERVICE = """
name = "{name}"
url = "http://127.0.0.1:{{public}}"
{books}
[ports]
public = 3901
own = 3902
[[process]]
name = "service"
argv = ["{python}", "-P", "-m", "wallet_baselines.acid"]
port = "own"
[process.env]
WALLET_DATABASE_URL = "{url}"
WALLET_PUBLIC_PORT = "{{public}}"
WALLET_PORT = "{{own}}"
WALLET_SERVICE_SECRET = "a secret of this test"
"""
BOOKS = """
from wallet_lab.architectures.acid import relations as acid
from wallet_lab.checker.extraction import Database, add, copy_database, copy_durability

DATABASE = Database("postgres-0", "{owner}", "{service}", 0)

async def relations(evidence, stack):
    add(evidence, "holders", acid._HOLDERS)
    add(evidence, "timeline_steps", acid._TIMELINE)
    await copy_database(evidence, DATABASE, acid._QUERIES)
    await copy_durability(evidence, DATABASE)

async def beginning(evidence, stack):
    await copy_database(evidence, DATABASE, {{"wallets": acid._QUERIES["wallets"], "decided": acid._DECIDED}})
"""


@pytest.mark.slow
@pytest.mark.parametrize("books", ["", 'books = "books.py"'])
def test_right_stack_passes_with_and_without_its_books(
    acid: RunningStack, tmp_path: Path, books: str
) -> None:
    """A correct service passes the audit through the API, and the audit of its books if a module reads them."""
    (owner,), (service,) = acid.database_urls, acid.service_database_urls
    name = "with-books" if books else "without-books"
    text = SERVICE.format(name=name, books=books, python=sys.executable, url=service)
    (tmp_path / "wallet-stack.toml").write_text(text)
    (tmp_path / "books.py").write_text(BOOKS.format(owner=owner, service=service))
    run = bank(tmp_path)
    assert (run.verdict, run.why) == ("passed", "")
    assert run.audit is not None
    assert (run.audit.checks[0].name == API_ALONE) == (not books)


@pytest.mark.slow
def test_commands_take_the_folder_of_a_stack(folder: Path) -> None:
    """`./lab up`, `status`, `audit` and `down` take a folder instead of a name; a plain `down` stops this stack too."""
    with temporary_home(None) as home:

        def lab(*arguments: str) -> str:
            env = {**os.environ, "WALLET_LAB_HOME": os.fspath(home)}
            command = [sys.executable, "-P", "-m", "wallet_lab", *arguments]
            done = subprocess.run(
                command, env=env, cwd=folder.parent, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        try:
            assert "is ready at http://127.0.0.1:" in lab("up", "./stack")
            assert "server-0" in lab("status", "./stack")
            assert API_ALONE in lab("audit", "./stack")
        finally:
            assert "is down" in lab("down")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "mine', 'name = "Mine', "must match"),
        ('port = "public"', 'port = "other"', "there is no port 'other'"),
        ("url =", "uri =", "uri"),
        ('argv = ["python3", "server.py"]', "argv = []", "no argv"),
        ("[ports]", "[ports", "not the description of a stack"),
    ],
)
def test_wrong_description_is_explained(folder: Path, old: str, new: str, said: str) -> None:
    """An error in the description names the file and what is wrong in it."""
    changed(folder / "wallet-stack.toml", old, new)
    with pytest.raises(LabError, match=said) as error:
        architectures.find(os.fspath(folder))
    assert "wallet-stack.toml" in str(error.value)


def test_folder_without_description_is_explained(tmp_path: Path) -> None:
    """A folder without wallet-stack.toml is not a stack."""
    with pytest.raises(LabError, match=r"wallet-stack\.toml cannot be read"):
        architectures.find(os.fspath(tmp_path))


def test_stack_cannot_have_the_name_of_another(folder: Path, tmp_path: Path) -> None:
    """A name belongs to one architecture or to one folder."""
    found = architectures.find(os.fspath(folder))
    assert architectures.find(found.name) is found
    shutil.copytree(folder, tmp_path / "again")
    with pytest.raises(LabError, match="needs another name"):
        architectures.find(os.fspath(tmp_path / "again"))
    changed(tmp_path / "again/wallet-stack.toml", found.name, "noop")
    with pytest.raises(LabError, match="needs another name"):
        architectures.find(os.fspath(tmp_path / "again"))


def test_name_of_the_registry_comes_before_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder with the name of an architecture does not hide the architecture."""
    (tmp_path / "noop").mkdir()
    monkeypatch.chdir(tmp_path)
    assert architectures.find("noop").source == ""
