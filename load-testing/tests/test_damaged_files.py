"""If any file of the lab is empty, truncated, invalid or missing, no command deletes files of the user."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner, Result

from wallet_lab.cli import app
from wallet_lab.errors import LabError
from wallet_lab.stack.files.accounts import OUTSIDE, Account, unprivileged_account
from wallet_lab.stack.files.folder_markers import MARKER, claim, data_root, identity_of
from wallet_lab.stack.files.home import StackHome, supervisor_pid
from wallet_lab.stack.files.temporary_home import temporary_home
from wallet_lab.stack.layout import decide_shards
from wallet_lab.stack.supervision import control
from wallet_lab.stack.supervision.logs import trim_logs

Damage = Callable[[Path], Any]

DAMAGES: dict[str, Damage] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(b"\xff\x00/../home\n"),
    "foreign": lambda path: path.write_text('{"identity": "..", "shards": "all", "supervisor": "yes"}'),
    "missing": lambda path: path.unlink(),
}
FILES = [
    MARKER,
    *("secrets", "layout.json", "state.json", "lock"),
    *("../scrape-targets/saga.json", "holds/worker-0", "logs/worker-0.log"),
    *("data/postgres-0.provisioned", "data/postgres-0/PG_VERSION"),
]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's folder, set as the current directory, with the lab's home in it. The databases' user can enter it."""
    with temporary_home(None) as temporary:
        place = temporary / "user"
        place.mkdir(mode=0o755)
        (place / "mine").write_text("the user's")
        monkeypatch.chdir(place)
        yield place


@pytest.fixture
def home(place: Path, monkeypatch: pytest.MonkeyPatch) -> StackHome:
    """A stack of one shard that is down, with all its files."""
    monkeypatch.setenv("WALLET_LAB_HOME", str(place / "lab"))
    home = StackHome(place / "lab", "saga")
    home.prepare()
    (home.data() / "postgres-0").mkdir(parents=True)
    contents = {
        "secrets": json.dumps({"redis": 32 * "a"}),
        "layout.json": '{"shards": 1}',
        "state.json": json.dumps({"version": 1, "supervisor": 1, "phase": "ready", "components": []}),
        "lock": "",
        "../scrape-targets/saga.json": "[]",
        "holds/worker-0": "",
        "logs/worker-0.log": "one line\n",
        "data/postgres-0.provisioned": f"shard_0 {64 * 'a'}",
        "data/postgres-0/PG_VERSION": "18\n",
    }
    for name, text in contents.items():
        (home.root / name).write_text(text)
    return home


def lab(*arguments: str) -> Result:
    """Run one command to its end in this process."""
    return CliRunner().invoke(app, arguments)


def assert_sentence(result: Result) -> None:
    """Assert that the command succeeded, or printed one sentence that says why not."""
    if result.exit_code == 0:
        return
    assert isinstance(result.exception, (LabError, SystemExit)), repr(result.exception)
    if isinstance(result.exception, LabError):
        assert 20 < len(str(result.exception)) < 500


def users_files(place: Path) -> dict[str, str]:
    """Return the files outside the lab's home."""
    return {path.name: path.read_text() for path in place.iterdir() if path.name != "lab"}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_command_works_or_gives_one_sentence_with_any_file_damaged(
    place: Path, home: StackHome, monkeypatch: pytest.MonkeyPatch, file: str, damage: str
) -> None:
    """If a file is damaged, no command prints a traceback or changes files outside the lab's home."""

    def not_started(*_: object) -> None:
        raise LabError("this test starts nothing, it looks at what comes before")

    monkeypatch.setattr(control, "Owner", not_started)
    DAMAGES[damage](home.root / file)
    for arguments in (
        ["status"],
        ["logs"],
        ["audit", "saga"],
        ["down"],
        ["up", "saga"],
        ["up", "saga", "--fresh"],
    ):
        assert_sentence(lab(*arguments))
        assert users_files(place) == {"mine": "the user's"}
    assert home.root.exists()


@pytest.mark.parametrize("damage", DAMAGES)
def test_fresh_deletes_nothing_when_the_marker_is_damaged(home: StackHome, damage: str) -> None:
    """If the marker is damaged, --fresh deletes nothing and the error names the marker."""
    home.write("state", {})
    DAMAGES[damage](home.root / MARKER)
    refused = lab("up", "saga", "--fresh")
    assert str(home.root / MARKER) in str(refused.exception)
    assert (home.root / "data" / "postgres-0" / "PG_VERSION").exists()


def test_foreign_folder_is_not_changed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the user has a folder `saga` in the home, neither `up` nor --fresh changes it."""

    def started(_: StackHome) -> None:
        raise AssertionError("started")

    monkeypatch.setattr(control, "_launch", started)
    monkeypatch.setenv("WALLET_LAB_HOME", str(place))
    (place / "saga" / "data").mkdir(parents=True)
    (place / "saga" / "secrets").write_text("the user's")
    for options in ([], ["--fresh"]):
        refused = lab("up", "saga", *options)
        assert refused.exit_code == 1
        assert str(place / "saga") in str(refused.exception)
    with pytest.raises(LabError, match="did not make it"):
        StackHome(place, "saga").prepare()
    assert (place / "saga" / "secrets").read_text() == "the user's"
    assert (place / "saga" / "data").exists()
    assert not (place / "saga" / "logs").exists()


@pytest.mark.parametrize("folder", ["logs", "holds", "../scrape-targets"])
def test_up_does_not_follow_a_symbolic_link_to_a_folder(place: Path, home: StackHome, folder: str) -> None:
    """If a folder of the lab is a symbolic link to a folder of the user's, `up` refuses."""
    (home.root / folder).rename(place / "theirs")
    (home.root / folder).symlink_to(place / "theirs")
    with pytest.raises(LabError, match="is a symbolic link"):
        home.prepare()


def test_foreign_folder_of_targets_is_not_changed(place: Path) -> None:
    """If the user has a folder `scrape-targets` in the home, `up` refuses."""
    (place / "scrape-targets").mkdir()
    (place / "scrape-targets" / "saga.json").write_text("the user's")
    with pytest.raises(LabError, match="perhaps the lab did not make it"):
        StackHome(place, "saga").prepare()


def test_only_the_labs_own_logs_are_trimmed(
    place: Path, home: StackHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full log of a component is trimmed; other files and files behind symbolic links are not."""
    monkeypatch.setattr("wallet_lab.stack.supervision.logs.SIZE_MAX_BYTES", 1)
    theirs = home.log("theirs")
    theirs.write_text("the user's")
    home.log("redis").symlink_to(theirs)
    trim_logs(home, ["worker-0", "redis"])
    assert theirs.read_text() == "the user's"
    assert home.log("worker-0").read_text() == ""
    home.logs.rename(place / "elsewhere")
    home.logs.symlink_to(place / "elsewhere")
    trim_logs(home, ["theirs"])
    assert theirs.read_text() == "the user's"


def test_status_and_up_agree_on_a_stack_of_an_earlier_version(home: StackHome) -> None:
    """If an earlier version without markers made the stack, `status`, `up` and --fresh give the same advice."""
    (home.root / MARKER).unlink()
    holder = (
        "import sys, wallet_lab.stack.files.home as h; "
        "lock = h.take_file_lock(h.Path(sys.argv[1])); print(); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, home.root / "lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as supervisor:
        assert supervisor.stdout is not None
        supervisor.stdout.readline()
        home.write("state", {"version": 1, "supervisor": supervisor.pid, "phase": "ready", "components": []})
        advice = str(lab("status", "saga").exception)
        supervisor.communicate(b"\n")
    assert f"'./lab down saga', then move {home.root} away or delete it" in advice
    for options in ([], ["--fresh"]):
        refused = str(lab("up", "saga", *options).exception)
        assert "an earlier version of the lab made it" in refused
        assert f"move {home.root} away, or delete it" in refused
    assert (home.root / "data" / "postgres-0" / "PG_VERSION").exists()


@pytest.mark.parametrize("link", ["", "data"], ids=["the stack's folder", "its data"])
def test_fresh_does_not_follow_a_symbolic_link(place: Path, home: StackHome, link: str) -> None:
    """If the stack's folder is a symbolic link to a folder of the user's, --fresh refuses and deletes nothing."""
    target = place / "theirs"
    (home.root / link).rename(target)
    (home.root / link).symlink_to(target)
    refused = lab("up", "saga", "--fresh")
    assert refused.exit_code == 1
    assert isinstance(refused.exception, LabError)
    assert list(target.rglob("PG_VERSION"))


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_number_of_shards_is_recounted_when_its_record_is_damaged(home: StackHome, damage: str) -> None:
    """If the record of the shards is damaged, the number of databases decides, so every wallet stays reachable."""
    for shard in (1, 2):
        (home.data() / f"postgres-{shard}").mkdir()
    home.write("layout", {"shards": 3})
    DAMAGES[damage](home.root / "layout.json")
    assert decide_shards(home, None) == 3
    with pytest.raises(LabError, match="spread over 3 shards"):
        decide_shards(home, 2)


def test_record_with_fewer_shards_than_databases_is_refused(home: StackHome) -> None:
    """If the record has fewer shards than there are databases, `up` refuses, because it would hide wallets."""
    (home.data() / "postgres-1").mkdir()
    with pytest.raises(LabError, match=r"says 1 shards, but .* has 2"):
        decide_shards(home, None)


@pytest.fixture
def account() -> Account:
    """The databases' user."""
    account = unprivileged_account()
    if account is None:
        pytest.skip("the databases have their own user only if the lab runs as root")
    return account


@pytest.fixture
def outside(tmp_path: Path, account: Account) -> Iterator[tuple[Path, Path]]:
    """A stack whose folder the databases' user cannot enter, and the folder that holds its data instead."""
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    stack = hidden / "saga"
    stack.mkdir()
    claim(stack)
    elsewhere = data_root(stack, account)
    yield stack, elsewhere
    shutil.rmtree(elsewhere, ignore_errors=True)


def test_data_outside_the_folder_are_found_by_identity(outside: tuple[Path, Path], account: Account) -> None:
    """Data outside the stack's folder are found by identity, even if the user can enter the folder later."""
    stack, elsewhere = outside
    assert elsewhere == OUTSIDE / identity_of(stack)
    stack.parent.chmod(0o755)
    assert data_root(stack, account) == elsewhere


def test_copied_stack_does_not_use_the_data_of_the_original(
    outside: tuple[Path, Path], account: Account
) -> None:
    """A copied stack does not use the data of the original, because two stacks would write to one database."""
    stack, _ = outside
    copy = shutil.copytree(stack, stack.with_name("copy"))
    with pytest.raises(LabError, match=f"holds the data of {stack}"):
        data_root(copy, account)


def test_error_of_a_missing_marker_names_its_copy(outside: tuple[Path, Path], account: Account) -> None:
    """If a stack's marker is missing, the error names the copy in the data folder."""
    stack, elsewhere = outside
    (stack / MARKER).write_text("")
    with pytest.raises(LabError, match=f"copy {elsewhere / MARKER} to it"):
        data_root(stack, account)
    shutil.copy(elsewhere / MARKER, stack / MARKER)
    assert data_root(stack, account) == elsewhere


def test_up_refuses_if_the_databases_user_can_no_longer_enter_the_data(place: Path, account: Account) -> None:
    """If the databases' user can no longer enter the data folder, the lab refuses to start with empty databases."""
    stack = place / "saga"
    stack.mkdir()
    claim(stack)
    (stack / "data").mkdir()
    stack.chmod(0o700)
    with pytest.raises(LabError, match="can no longer enter"):
        data_root(stack, account)


FAKES = Path(__file__).parent / "fakes"


def typed(home: StackHome, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run one command as a user does, with fakes for services."""
    env = {**os.environ, "WALLET_LAB_HOME": str(home.home), "PYTHONPATH": str(FAKES)}
    argv = [sys.executable, "-m", "wallet_lab", *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_up_recreates_every_file_that_can_be_recreated(place: Path) -> None:
    """If every file that can be recreated is damaged, `up` finds the same data and all components are healthy."""
    home = StackHome(place / "lab", "saga")
    try:
        assert typed(home, "up", "saga", "--shards", "1").returncode == 0
        version = home.data() / "postgres-0" / "PG_VERSION"
        made_at_ns = version.stat().st_mtime_ns
        for damage in map(DAMAGES.get, ("empty", "garbage", "missing")):
            assert damage is not None
            assert typed(home, "down", "saga").returncode == 0
            for file in (*FILES[1:6], "data/postgres-0.provisioned"):
                path = home.root / file
                if not path.exists():
                    path.write_text("{}")
                damage(path)
            up = typed(home, "up", "saga")
            assert (up.returncode, up.stderr.count("Traceback")) == (0, 0), up.stderr
            assert typed(home, "status").returncode == 0
            assert version.stat().st_mtime_ns == made_at_ns
    finally:
        typed(home, "down")
        home.wipe()


@pytest.mark.slow
def test_running_stack_repairs_its_record_and_stops_without_its_lock(place: Path) -> None:
    """A running stack rewrites a damaged state.json. Without its lock it stops before a second stack starts."""
    home = StackHome(place / "lab", "saga")
    try:
        assert typed(home, "up", "saga", "--shards", "1").returncode == 0
        (home.root / "state.json").write_text("")
        until(lambda: bool(home.read("state")))
        assert typed(home, "status").returncode == 0
        (home.root / "secrets").write_text("")
        damaged = typed(home, "status")
        assert f"{home.secrets} is missing or damaged" in damaged.stderr
        pid = supervisor_pid(home)
        assert pid is not None
        (home.root / "lock").unlink()
        until(lambda: not psutil.pid_exists(pid))
    finally:
        typed(home, "down")
        home.wipe()


def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true. The test's own timeout ends the wait."""
    while not condition():
        time.sleep(0.05)


def test_claim_waits_for_another_command_that_marks_the_folder(tmp_path: Path) -> None:
    """If another command is marking a folder, `claim` waits, and then takes the folder as the lab's."""
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with ThreadPoolExecutor(max_workers=1) as other:
            claimed = other.submit(claim, tmp_path)
            with pytest.raises(TimeoutError):
                claimed.result(timeout=0.2)
            (tmp_path / MARKER).write_text(json.dumps({"identity": 32 * "a"}))
            (tmp_path / "logs").mkdir()
            fcntl.flock(handle, fcntl.LOCK_UN)
            claimed.result(timeout=60)
    finally:
        os.close(handle)
    assert identity_of(tmp_path) == 32 * "a"


@pytest.mark.parametrize("file", [None, f"{MARKER}.123"])
def test_unmarked_new_folder_has_no_shards(tmp_path: Path, file: str | None) -> None:
    """If another command has made a stack's folder and not marked it yet, `up` takes the default number of shards."""
    home = StackHome(tmp_path, "saga")
    home.root.mkdir()
    if file is not None:
        (home.root / file).touch()
    assert decide_shards(home, None) == 2
