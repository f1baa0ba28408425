"""The runtime as a process, with a port and signals."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("small_service.py")
PATIENCE_S = 20


class Process:
    """A running small_service.py and its log."""

    def __init__(self, port: int, gate: Path, *options: str) -> None:
        self.port = port
        self.gate = gate
        self.lines: list[str] = []
        self._arrivals: Queue[str] = Queue()
        command = [sys.executable, str(PROGRAM), str(port), str(gate), *options]
        self.popen = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.lines.append(line)
            self._arrivals.put(line)

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next log entry that begins so."""
        while True:
            entry: dict[str, Any] = json.loads(self._arrivals.get(timeout=PATIENCE_S))
            if entry["event"].startswith(event):
                return entry

    def wait_until_served(self) -> None:
        """Returns when the port answers."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise TimeoutError

    def wait_until_refused(self) -> None:
        """Returns when the port takes no more connections."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
            except OSError:
                return
            time.sleep(0.02)
        raise TimeoutError

    def request(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return (
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()

    def stop(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.popen.send_signal(number)

    def exit_status(self) -> int:
        """Waits until the process has ended."""
        return self.popen.wait(PATIENCE_S)


Start = Callable[..., Process]


@pytest.fixture
def free_port() -> int:
    """Returns a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def start(free_port: int, tmp_path: Path) -> Iterator[Start]:
    """Starts services on the free port, and kills those that still run at the end."""
    started: list[Process] = []

    def start_one(*options: str, served: bool = True) -> Process:
        started.append(Process(free_port, tmp_path / "gate", *options))
        if served:
            started[-1].wait_until_served()
        return started[-1]

    yield start_one
    for process in started:
        process.popen.kill()
        process.popen.wait(PATIENCE_S)


def in_background(process: Process) -> "Queue[Any]":
    """Sends a slow request; the queue gets its reply or the error."""
    replies: Queue[Any] = Queue()

    def send() -> None:
        try:
            replies.put(process.request("POST", "/wallets/balanceTransfer"))
        except (OSError, http.client.HTTPException) as error:
            replies.put(error)

    threading.Thread(target=send, daemon=True).start()
    process.wait_for("accepted")
    return replies


def kept_alive(process: Process) -> http.client.HTTPConnection:
    """Returns an open connection that has served one request."""
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=PATIENCE_S)
    connection.connect()
    assert ask(connection) == (200, None)
    return connection


def ask(connection: http.client.HTTPConnection) -> tuple[int, str | None]:
    """Returns the status of a quick request on this connection and its `Connection` header, or 0 without an answer."""
    connection.auto_open = 0
    try:
        connection.request("GET", "/wallets/user1/balance")
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return 0, None
    return response.status, response.getheader("connection")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_drains(start: Start, number: signal.Signals) -> None:
    """On a signal, accepted requests finish, the port closes, then the resources close; the exit status is 0."""
    process = start()
    slow = in_background(process)
    process.stop(number)
    assert process.wait_for("draining")["in_flight"] == 1
    process.wait_until_refused()
    process.gate.touch()
    status, headers, _ = slow.get(timeout=PATIENCE_S)
    assert (status, headers.get("connection")) == (201, "close")
    process.wait_for("closed")
    assert process.exit_status() == 0


def test_draining_service_serves_open_connections_once_more(start: Start) -> None:
    """A draining service serves one more request per open connection, closes the connection, and then exits."""
    process = start()
    connections = [kept_alive(process) for _ in range(3)]
    process.stop(signal.SIGTERM)
    process.wait_until_refused()
    time.sleep(0.5)
    assert [ask(connection) for connection in connections] == [(200, "close")] * 3
    assert process.exit_status() == 0


def test_idle_connection_does_not_delay_the_exit(start: Start) -> None:
    """An idle connection of a client is closed after `idle_s`."""
    process = start()
    with socket.create_connection(("127.0.0.1", process.port)) as idle:
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(65536).startswith(b"HTTP/1.1 200")
        process.stop(signal.SIGTERM)
        assert process.exit_status() == 0
        assert idle.recv(65536) == b""


@pytest.mark.slow
def test_stuck_request_does_not_prevent_the_exit(start: Start) -> None:
    """A request that never ends is cancelled after the drain's timeout, and the resources are still closed."""
    process = start()
    stuck = in_background(process)
    process.stop(signal.SIGTERM)
    process.wait_for("closed")
    assert process.exit_status() == 0
    status, _, body = stuck.get(timeout=PATIENCE_S)
    assert (status, json.loads(body)["type"]) == (503, "/problems/outcome-unknown")


def test_taken_port_is_logged_in_one_line(start: Start, free_port: int) -> None:
    """If the port is in use, the service logs one line with the port, closes its resources and exits with status 1."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        process = start(served=False)
        assert process.exit_status() == 1
    process.wait_for("closed")
    error = process.wait_for("cannot listen")
    assert error["event"] == f"cannot listen: 127.0.0.1:{free_port}: Address already in use"
    assert not any("Traceback" in line for line in process.lines)
    assert len([line for line in process.lines if '"error"' in line]) == 1


def test_replicas_share_a_port(start: Start) -> None:
    """With `shared`, a second replica listens on the same port and serves after the first one has exited."""
    first, second = start("shared"), start("shared", served=False)
    second.wait_for("Started")
    first.stop(signal.SIGTERM)
    assert first.exit_status() == 0
    assert second.request("GET", "/livez")[0] == 200


def test_shared_port_is_not_taken_from_others(start: Start, free_port: int) -> None:
    """A port is shared only among replicas: a program without `shared` keeps its port to itself."""
    start()
    second = start("shared", served=False)
    assert second.exit_status() == 1


def test_headers_on_the_wire_follow_the_contract(start: Start) -> None:
    """The server sends no name, trims space around header values, and answers HEAD without a body."""
    process = start()
    status, headers, body = process.request("GET", "/wallets/user1/balance", **{"X-Echo": " abc \t"})
    assert (status, body) == (200, b"abc")
    assert "server" not in headers
    assert process.request("HEAD", "/wallets/user1/balance", **{"X-Echo": "abc"})[2] == b""


@pytest.mark.parametrize("size", [70_000, 3_000_000])
def test_client_of_a_large_body_receives_the_answer(start: Start, size: int) -> None:
    """A client that sends a far too large body still receives the 413, not a connection reset."""
    process = start()
    message = b"POST /wallets/balanceTransfer HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
    with socket.create_connection(("127.0.0.1", process.port)) as client:
        client.sendall(message)
        client.sendall(b" " * size)
        assert client.recv(65536).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "head", [b"GET /%s", b"GET /wallets/user1/balance HTTP/1.1\r\nX-Long: %s"], ids=["path", "header"]
)
def test_endless_head_is_refused_after_the_bound(start: Start, head: bytes) -> None:
    """An endless head is refused after a bounded number of bytes, and other clients are served."""
    process = start()
    with socket.create_connection(("127.0.0.1", process.port), PATIENCE_S) as client:
        for _ in range(30):
            client.sendall(head % (b"a" * 10_000))
            head = b"%s"
        assert client.recv(65536).startswith(b"HTTP/1.1 400")
    assert process.request("GET", "/wallets/user1/balance")[0] == 200


def test_long_head_below_the_bound_is_accepted(start: Start) -> None:
    """The bound is far above the heads of usual clients, and applies to each request separately."""
    process = start()
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=PATIENCE_S)
    for _ in range(3):
        connection.request("GET", "/wallets/user1/balance", headers={"X-Long": "a" * 40_000})
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")
    connection.close()
