"""The lab next to the user's variables, other stacks, and other programs on its ports."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from wallet_lab import cli
from wallet_lab.architectures.saga.topology import PUBLIC_PORT, REDIS_PORT
from wallet_lab.environment_variables import clean, of_installer, of_service
from wallet_lab.stack.components import Command
from wallet_lab.stack.files.home import StackHome, signal_supervisor, supervisor_pid
from wallet_lab.stack.files.temporary_home import temporary_home
from wallet_lab.stack.supervision.process import spawn

FAKES = Path(__file__).parent / "fakes"
USERS = {"PGSERVICE": "other", "PGSSLMODE": "verify-full", "RABBITMQ_NODENAME": "other", "K6_VUS": "1"}
USERS |= {"ERL_FLAGS": "-broken", "LD_PRELOAD": "", "http_proxy": "http://127.0.0.1:1", "HOME": "/nowhere"}
OURS = {"WALLET_API_KEYS": "key", "OTEL_EXPORTER_OTLP_HEADERS": "a=b"}


@pytest.mark.parametrize(
    ("command", "gets"),
    [({}, OURS), ({"bare": True}, {}), ({"unprivileged": True}, {})],
    ids=["service", "bare", "unprivileged"],
)
def test_program_gets_only_its_own_variables(
    monkeypatch: pytest.MonkeyPatch, command: dict[str, Any], gets: dict[str, str]
) -> None:
    """Variables that the user set for other programs do not reach the services, servers and tasks of a stack."""
    for name, value in {**USERS, **OURS}.items():
        monkeypatch.setenv(name, value)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sink:
        assert sink.stdin is not None
        spawn(Command(name="env", argv=("/usr/bin/env",), **command), sink.stdin.fileno()).wait()
        printed, _ = sink.communicate()
    found = dict(line.split("=", 1) for line in printed.decode().splitlines())
    assert found.keys() & {*USERS, *OURS} == gets.keys()


def test_lab_drops_variables_that_would_change_its_work() -> None:
    """The lab's own process drops variables that would change its work, and exempts the loopback from proxies."""
    environ = {
        **USERS,
        **OURS,
        "GIT_DIR": "/x",
        "PYTEST_ADDOPTS": "-x",
        "COMPOSE_PROFILES": "all",
        "no_proxy": "a",
    }
    clean(environ)
    assert (
        environ.keys() & {"PGSERVICE", "PGSSLMODE", "GIT_DIR", "PYTEST_ADDOPTS", "COMPOSE_PROFILES"} == set()
    )
    assert environ["no_proxy"] == "127.0.0.1,localhost,a"
    assert of_service(environ).keys() >= OURS.keys()


def test_an_installer_keeps_the_proxies() -> None:
    """The installer keeps the proxy variables, because apt may need them."""
    assert of_installer(USERS)["http_proxy"] == USERS["http_proxy"]


@pytest.mark.parametrize("writable", [True, False])
def test_unexpected_error_is_one_sentence_with_details_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, writable: bool
) -> None:
    """An unexpected error is one sentence that names the file with the traceback."""

    def fails(*_: object, **__: object) -> None:
        raise KeyError("a key")

    monkeypatch.setattr(cli, "app", fails)
    monkeypatch.setattr(cli, "clean_own", lambda: None)
    monkeypatch.setenv("WALLET_LAB_HOME", str(tmp_path if writable else "/proc/nowhere"))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said.startswith("lab: unexpected error: KeyError: 'a key'. The details are in /")
    assert said.count("\n") == 1
    log = Path(said.rstrip("\n").rpartition(" ")[2])
    assert "Traceback" in log.read_text()
    assert log.parent == tmp_path if writable else not log.is_relative_to("/proc")
    log.unlink()


@pytest.fixture
def homes() -> Iterator[list[StackHome]]:
    """Three homes, like those of three checkouts."""
    with ExitStack() as places:
        found = [StackHome(places.enter_context(temporary_home(None)), "saga") for _ in range(3)]
        yield found
        for home in found:
            signal_supervisor(home, signal.SIGTERM)
        for home in found:
            while supervisor_pid(home) is not None:
                time.sleep(0.1)
            home.wipe()


def up(home: StackHome, path: Path = FAKES) -> "subprocess.Popen[str]":
    """Run `./lab up saga` in one of the checkouts, with fakes for services."""
    env = {**os.environ, "WALLET_LAB_HOME": str(home.home), "PYTHONPATH": str(path)}
    argv = [sys.executable, "-m", "wallet_lab", "up", "saga", "--shards", "1"]
    return subprocess.Popen(argv, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def status(home: StackHome) -> dict[str, Any]:
    """Return the parsed output of `./lab status --json`."""
    env = {**os.environ, "WALLET_LAB_HOME": str(home.home)}
    argv = [sys.executable, "-m", "wallet_lab", "status", "saga", "--json"]
    found: dict[str, Any] = json.loads(subprocess.run(argv, env=env, capture_output=True, check=False).stdout)
    return found


@pytest.mark.slow
def test_stacks_of_several_checkouts_have_their_own_ports(homes: list[StackHome]) -> None:
    """If three stacks start at nearly the same time, each has its own ports and only its own processes answer there."""
    started = []
    for home, delay_s in zip(homes, (0.0, 0.0, 1.0), strict=True):
        time.sleep(delay_s)
        started.append(up(home))
    for process in started:
        output, errors = process.communicate(timeout=200)
        assert process.returncode == 0, output + errors
    found = [status(home) for home in homes]
    assert all(component["healthy"] for stack in found for component in stack["components"])
    ports = [component["port"] for stack in found for component in stack["components"]]
    assert len(set(ports)) == len(ports)
    assert len({stack["base_url"] for stack in found}) == len(found)
    for stack in found:
        pids = {httpx.get(stack["base_url"]).json()["pid"] for _ in range(10)}
        assert pids == {part["pid"] for part in stack["components"] if part["kind"] == "orchestrator"}


_BLIND = """
import wallet_lab.stack.ports as ports
_is_free, _asked = ports.is_free, set()
def blind_at_first(port):
    if port in _asked:
        return _is_free(port)
    _asked.add(port)
    return True
ports.is_free = blind_at_first
"""


@pytest.mark.slow
@pytest.mark.parametrize("port", [REDIS_PORT, PUBLIC_PORT], ids=["redis", "public"])
def test_a_port_that_is_taken_during_the_start_is_replaced(
    homes: list[StackHome], tmp_path: Path, port: int
) -> None:
    """If another program takes a port after it was chosen, the stack starts again on other ports."""
    (tmp_path / "sitecustomize.py").write_text(_BLIND)
    (tmp_path / "wallet_saga").symlink_to(FAKES / "wallet_saga")
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        output, errors = up(homes[0], tmp_path).communicate(timeout=200)
        found = status(homes[0])
    assert "is ready" in output, output + errors
    assert all(component["healthy"] for component in found["components"])
    assert str(port) not in {str(part["port"]) for part in found["components"]} | {found["base_url"][-4:]}
