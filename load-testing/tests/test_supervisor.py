"""A running stack: restarts, outages, and crashes of the supervisor."""

import shutil
import signal
import time
from pathlib import Path

import httpx
import psutil
import pytest
from typer.testing import CliRunner

from wallet_lab.cli import app
from wallet_lab.errors import LabError
from wallet_lab.stack.backends.native import NativeStack
from wallet_lab.stack.files.home import StackHome, signal_supervisor, supervisor_pid
from wallet_lab.stack.supervision.process_supervisor import backoff_s
from wallet_lab.testing import RunningStack, running_stack

pytestmark = pytest.mark.slow

Env = dict[str, dict[str, str]]


def gone(pids: set[int], timeout_s: float = 10.0) -> bool:
    """Whether all these processes have ended within the timeout."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        if not any(_runs(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def all_pids(home: StackHome) -> set[int]:
    """Return the supervisor's children and their descendants (Postgres has several)."""
    supervisor = supervisor_pid(home)
    assert supervisor is not None
    return {process.pid for process in psutil.Process(supervisor).children(recursive=True)}


@pytest.mark.parametrize("name", ["worker-0", "orchestrator-1", "postgres-0", "redis"])
def test_killed_component_is_restarted(stack: RunningStack, name: str) -> None:
    """If a component is killed, it is restarted with the same name and port."""
    before = {component.name: component.port for component in stack.components}
    stack.wait_restarted(name, stack.kill(name))
    stack.wait_ready()
    assert {component.name: component.port for component in stack.components} == before


def test_first_death_is_followed_by_an_immediate_restart() -> None:
    """The first death is followed by an immediate restart; only repeated early deaths cause a short wait."""
    assert [backoff_s(deaths) for deaths in range(8)] == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_an_outage_lasts_until_it_ends(stack: RunningStack) -> None:
    """During an outage only the component is unhealthy; afterwards the whole stack is ready again."""
    with stack.outage("redis"):
        time.sleep(0.5)
        assert [component.name for component in stack.components if not component.healthy] == ["redis"]
    assert all(component.healthy for component in stack.components)


def test_outage_ends_with_the_process_that_caused_it(stack: NativeStack) -> None:
    """If the process that holds an outage is killed, the component is restarted although the file remains."""
    hold = stack._home.hold("worker-1")
    hold.touch()
    try:
        stack.wait_restarted("worker-1", stack.kill("worker-1"))
    except LabError as error:
        raise AssertionError(str(error)) from None
    finally:
        hold.unlink()
    stack.wait_ready()


def restarted(home: StackHome, name: str, pid: int, timeout_s: float = 15.0) -> bool:
    """Whether the recorded pid of the component is a new one within the timeout."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        pids = {part["name"]: part["pid"] for part in home.read("state")["components"]}
        if pids[name] not in {pid, None}:
            return True
        time.sleep(0.1)
    return False


def test_a_component_is_restarted_after_a_full_disk(tmp_path: Path, fakes_env: Env) -> None:
    """If a component dies while the disk is full, it is restarted, and its new pid is recorded once there is space."""
    home = StackHome(tmp_path.resolve(), "saga")
    home.prepare()
    home.log("supervisor").symlink_to("/dev/full")
    try:
        with running_stack("saga", home=tmp_path, extra_env=fakes_env, shards=1) as stack:
            draft = home.root / f"state.json.{supervisor_pid(home)}"
            draft.symlink_to("/dev/full")
            pid = stack.kill("worker-0")
            time.sleep(1.0)
            draft.unlink()
            assert restarted(home, "worker-0", pid)
    finally:
        home.wipe()


def test_a_component_is_watched_again_after_an_unexpected_error(stack: NativeStack) -> None:
    """If the watch over a component fails, it begins again, and the component is restarted."""
    hold = stack._home.hold("worker-1")
    hold.mkdir()
    pid = stack.kill("worker-1")
    try:
        assert not restarted(stack._home, "worker-1", pid, timeout_s=1.0)
    finally:
        hold.rmdir()
    assert restarted(stack._home, "worker-1", pid)
    stack.wait_ready()


def test_a_paused_component_is_unhealthy_and_not_restarted(stack: RunningStack) -> None:
    """A paused component is unhealthy and is not restarted, because health is probed."""
    pid = stack.pid("worker-1")
    with stack.paused("worker-1"):
        assert [component.name for component in stack.components if not component.healthy] == ["worker-1"]
    stack.wait_ready()
    assert stack.pid("worker-1") == pid


def test_replicas_share_the_public_port(stack: RunningStack) -> None:
    """If one of two orchestrators is down, the public port still answers."""
    with stack.outage("orchestrator-0"):
        assert httpx.get(f"{stack.base_url}/readyz").status_code == 200


def test_no_process_outlives_a_killed_supervisor_and_its_data_survive(tmp_path: Path, fakes_env: Env) -> None:
    """If the supervisor is killed, all processes end, and the next `up` finds the same data."""
    home = StackHome(tmp_path.resolve(), "saga")
    try:
        with running_stack("saga", home=tmp_path, extra_env=fakes_env) as stack:
            cluster_made_at_ns = _made_at_ns(home)
            pids = all_pids(home)
            assert signal_supervisor(home, signal.SIGKILL)
            assert gone(pids)
            assert supervisor_pid(home) is None
            stack.start()
            assert all(component.healthy for component in stack.components)
            assert _made_at_ns(home) == cluster_made_at_ns
    finally:
        home.wipe()


def _made_at_ns(home: StackHome) -> int:
    return (home.data() / "postgres-0" / "PG_VERSION").stat().st_mtime_ns


def test_fresh_deletes_no_data_of_a_stack_that_started_meanwhile(
    stack: NativeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a stack comes up after `up --fresh` found none, `up --fresh` refuses and deletes nothing."""
    monkeypatch.setenv("WALLET_LAB_HOME", str(stack.home))
    monkeypatch.setattr("wallet_lab.stack.command.supervisor_pid", lambda _: None)
    made_at_ns = _made_at_ns(stack._home)
    refused = CliRunner().invoke(app, ["up", "saga", "--fresh"])
    assert "is up. Take it down" in str(refused.exception)
    data = list(stack._home.data().glob("postgres-*/PG_VERSION"))
    assert len(data) == 2
    assert _made_at_ns(stack._home) == made_at_ns


def test_failed_component_stops_the_start_with_its_last_log_lines(tmp_path: Path, fakes_env: Env) -> None:
    """If a worker cannot start, the error quotes its log and all processes are stopped."""
    home = StackHome(tmp_path.resolve(), "saga")
    env = {**fakes_env, "worker-1": {"FAKE_CRASH": "no such shard"}}
    try:
        failure = pytest.raises(LabError, match=r"worker-1 exited with code 1[^$]*no such shard")
        with failure, running_stack("saga", home=tmp_path, extra_env=env):
            pytest.fail("the stack must not come up")
        assert supervisor_pid(home) is None
        assert home.read("state")["phase"] == "failed"
        assert {component["pid"] for component in home.read("state")["components"]} == {None}
    finally:
        home.wipe()


def test_a_stack_whose_files_were_removed_stops_by_itself(tmp_path: Path, fakes_env: Env) -> None:
    """If the folder of a running stack is deleted, the stack stops, because no `down` could find it."""
    home = StackHome(tmp_path.resolve(), "saga")
    with running_stack("saga", home=tmp_path, extra_env=fakes_env, shards=1):
        pids = all_pids(home)
        data = home.data()
        shutil.rmtree(home.root)
        assert gone(pids, timeout_s=20)
    shutil.rmtree(data.parent, ignore_errors=True)


def test_stack_stops_with_its_owner(fakes_env: Env) -> None:
    """If the owner of a stack is killed, the stack stops."""
    with running_stack("saga", extra_env=fakes_env, shards=1) as stack:
        pids = all_pids(stack._home)
        assert stack._owner is not None
        stack._owner._stdin.close()
        assert gone(pids)
