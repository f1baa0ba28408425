"""The healthcheck of containers: ready, standby, not ready, not reachable."""

import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from wallet_kernel.runtime.healthcheck import is_healthy


@contextmanager
def server_answering(answer: bytes) -> Iterator[int]:
    """Starts a server that sends this answer to every request, and yields its port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            assert self.rfile.readline().startswith(b"GET /readyz ")
            self.wfile.write(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize(
    ("answer", "healthy"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b'HTTP/1.1 503 Service Unavailable\r\n\r\n{"status":"standby","obstacles":{"writer":""}}', True),
        (
            b'HTTP/1.1 503 Service Unavailable\r\n\r\n{"status":"not ready","obstacles":{"a":"standby"}}',
            False,
        ),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\nstandby", False),
        (b'HTTP/1.1 503 Service Unavailable\r\n\r\n["standby"]', False),
        (b"", False),
        (b"+PONG\r\n", False),
    ],
    ids=["ready", "empty-body", "standby", "not-ready", "no-json", "no-object", "no-answer", "no-http"],
)
def test_service_is_healthy_if_it_is_ready_or_a_standby(answer: bytes, *, healthy: bool) -> None:
    """A standby is healthy because it can take over; a draining service or another server is not healthy."""
    with server_answering(answer) as port:
        assert is_healthy(port) is healthy


def test_healthcheck_fails_if_no_server_listens() -> None:
    """If no server listens, the program exits with a failure status."""
    with server_answering(b"") as port:
        pass
    program = [sys.executable, "-m", "wallet_kernel.runtime.healthcheck"]
    assert subprocess.run(program, env={"WALLET_PORT": str(port)}, check=False).returncode == 1
