"""The healthcheck of containers: ready, not ready, not there."""

import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from wallet_kernel.runtime.healthcheck import is_ready


@contextmanager
def server_answering(answer: bytes) -> Iterator[int]:
    """The port of a server that says this to whatever it is asked."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            assert self.rfile.readline().startswith(b"GET /readyz ")
            self.wfile.write(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"", False),
        (b"+PONG\r\n", False),
    ],
)
def test_only_a_200_is_ready(answer: bytes, *, ready: bool) -> None:
    """A service that drains, or another server on its port, is not ready."""
    with server_answering(answer) as port:
        assert is_ready(port) is ready


def test_nobody_there_is_not_ready() -> None:
    """A container whose service has not begun to listen is not ready; the program says so by its status."""
    with server_answering(b"") as port:
        pass
    program = [sys.executable, "-m", "wallet_kernel.runtime.healthcheck"]
    assert subprocess.run(program, env={"WALLET_PORT": str(port)}, check=False).returncode == 1
