"""Postgres and Redis as the lab runs them."""

import asyncio
import contextlib
import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from wallet_lab.errors import LabError
from wallet_lab.stack.files.accounts import (
    OUTSIDE,
    Account,
    can_enter,
    can_run,
    identity,
    runnable_copy,
    unprivileged_account,
)
from wallet_lab.stack.files.folder_markers import data_root
from wallet_lab.stack.files.home import StackHome
from wallet_lab.stack.servers import postgres
from wallet_lab.testing import PostgresServer, running_postgres, running_redis

pytestmark = pytest.mark.slow


def query(url: str, sql: str) -> str:
    """Return the only value of a statement's result, as text."""
    psql = [str(postgres.program("psql")), "--no-psqlrc", "-At", url, "-c", sql]
    return subprocess.run(psql, capture_output=True, text=True, check=True, cwd="/").stdout.strip()


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes", "data_checksums"])
def test_durability_is_on(database_server: PostgresServer, setting: str) -> None:
    """The settings that protect acknowledged data from a crash are on."""
    assert query(database_server.service_url, f"SHOW {setting}") == "on"


def test_postgres_listens_on_the_loopback_only(database_server: PostgresServer) -> None:
    """Postgres listens only on the loopback interface."""
    assert query(database_server.service_url, "SHOW listen_addresses") == "127.0.0.1"


def test_a_wrong_password_is_refused(database_server: PostgresServer) -> None:
    """Postgres refuses a wrong password, even from this machine."""
    url = database_server.service_url.replace(":", ":wrong", 2).replace("wrong//", "//")
    with pytest.raises(subprocess.CalledProcessError):
        query(url, "SELECT 1")


@pytest.mark.anyio
async def test_cancelled_connection_attempt_logs_no_error(
    database_server: PostgresServer,
) -> None:
    """If a connection attempt is cancelled at any moment, no error is logged."""
    reported = list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    for turns in range(1, 12):
        connecting = asyncio.create_task(asyncpg.connect(database_server.service_url))
        for _ in range(turns):
            await asyncio.sleep(0)
        connecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await connecting).close()
        del connecting
        await asyncio.sleep(0.002)
        gc.collect()
    assert reported == []


def test_the_service_role_owns_nothing(database_server: PostgresServer) -> None:
    """The service role cannot create tables; the owner can."""
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'wallet'"
    assert query(database_server.service_url, owner) == "wallet_owner"
    with pytest.raises(subprocess.CalledProcessError):
        query(database_server.service_url, "CREATE TABLE public.mine ()")


def test_committed_data_survive_a_killed_server() -> None:
    """If the postmaster is killed, a new one starts immediately and has the committed row."""
    with running_postgres() as server:
        query(server.owner_url, "CREATE TABLE kept AS SELECT 7 AS seven")
        server.kill()
        server.start()
        assert query(server.owner_url, "SELECT seven FROM kept") == "7"


def test_data_of_an_older_lab_are_refused_with_a_remedy(tmp_path: Path) -> None:
    """If the data have another database name, the cluster does not start and the error says what to do."""
    with running_postgres(home=tmp_path):
        marker = StackHome(tmp_path, "postgres").data() / "postgres.provisioned"
        made = marker.read_text()
    marker.write_text(made.split()[1])  # as old notes, which had no database name
    with (
        pytest.raises(LabError, match=r"earlier version of the lab.* --fresh"),
        running_postgres(home=tmp_path),
    ):
        pass
    marker.write_text(made)
    with running_postgres(home=tmp_path) as server:
        assert query(server.service_url, "SELECT 1") == "1"
    StackHome(tmp_path, "postgres").wipe()


@pytest.mark.parametrize("note", [None, "", "wallet 12"], ids=["missing", "empty", "cut off"])
def test_cluster_is_kept_when_its_note_is_damaged(tmp_path: Path, note: str | None) -> None:
    """If the note of a cluster is damaged, the data are kept and the current passwords work."""
    home = StackHome(tmp_path, "postgres")
    with running_postgres(home=tmp_path) as server:
        query(server.owner_url, "CREATE TABLE kept AS SELECT 7 AS seven")
    file = home.data() / "postgres.provisioned"
    file.unlink() if note is None else file.write_text(note)
    home.secrets.write_text("{}")
    with running_postgres(home=tmp_path) as server:
        assert query(server.owner_url, "SELECT seven FROM kept") == "7"
    home.wipe()


def test_server_starts_although_another_process_has_its_old_process_id(tmp_path: Path) -> None:
    """If an unrelated process has the id in postmaster.pid after a reboot, the server still starts."""
    home = StackHome(tmp_path, "postgres")
    with (
        contextlib.ExitStack() as at_the_end,
        subprocess.Popen(["sleep", "60"], **identity(unprivileged_account())) as stranger,
        running_postgres(home=tmp_path) as server,
    ):
        at_the_end.callback(home.wipe)
        file = home.data() / "postgres" / "postmaster.pid"
        lines = file.read_text().splitlines()
        server.kill()
        file.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
        try:
            server.start()
            assert query(server.service_url, "SELECT 1") == "1"
        except LabError as error:
            raise AssertionError(str(error)) from None
        finally:
            stranger.kill()


def test_copies_of_the_database_are_independent(database_server: PostgresServer) -> None:
    """Copies of the database are independent, so every test can have its own."""
    one, other = database_server.copy_database(), database_server.copy_database()
    query(one.owner, "CREATE TABLE only_here ()")
    assert query(one.service, "SELECT to_regclass('public.only_here')") == "only_here"
    assert query(other.service, "SELECT to_regclass('public.only_here')") == ""


def test_redis_is_empty_after_a_restart() -> None:
    """Redis writes nothing to disk, so it is empty after a restart, and it requires a password."""
    with running_redis() as server:
        server.kill()
        server.start()
        assert ":test@" in server.url


@pytest.fixture
def account() -> Account:
    """The databases' user."""
    account = unprivileged_account()
    if account is None:
        pytest.skip("the databases have their own user only if the lab runs as root")
    return account


@pytest.fixture(params=[0o022, 0o077], ids="{:03o}".format)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The usual umask, and one that gives other users no rights."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_data_are_elsewhere_if_the_databases_user_cannot_enter_the_home(
    tmp_path: Path, account: Account
) -> None:
    """If the lab runs as root in a private folder, Postgres keeps its data outside that folder."""
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    assert not can_enter(hidden, account)
    home = StackHome(hidden, "postgres")
    home.prepare()
    outside = data_root(home.root, account)
    assert outside.is_relative_to(OUTSIDE)
    with running_postgres(home=hidden) as server:
        assert query(server.service_url, "SELECT 1") == "1"
        assert (outside / "data" / "postgres" / "PG_VERSION").exists()
    home.wipe()
    assert not outside.exists()


def test_programs_are_copied_if_the_databases_user_cannot_reach_them(
    tmp_path: Path, account: Account, umask: int
) -> None:
    """If the programs are in a private folder, the databases' user runs a copy of them, for any umask."""
    bin_ = tmp_path / "package" / "bin"
    bin_.mkdir(parents=True)
    (bin_ / "words").write_text("exit 0")
    program = bin_ / "program"
    program.write_text('#!/bin/sh\n. "${0%/*}/words"\n')
    program.chmod(0o777 & ~umask)
    assert not can_run(program, account)
    twin = runnable_copy(program, (tmp_path / "package",), account)
    try:
        assert can_run(twin, account)
    finally:
        shutil.rmtree(twin.parents[2])
