"""Requests as bytes, in packets of the test's choosing, and the answers to them."""

import http.client
import io
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

PATIENCE_S = 15
PAUSE_S = 0.02
"""Between two packets, so that the server reads them one by one."""


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """A connection that sends what it is given and nothing else."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, *packets: bytes) -> None:
        """Sends packets, with a pause after each."""
        for packet in packets:
            self._socket.sendall(packet)
            time.sleep(PAUSE_S)

    def replies(self) -> list[Reply]:
        """All answers, once the server has closed the connection. Raises AssertionError if it does not."""
        received = b""
        try:
            while part := self._socket.recv(65536):
                received += part
        except TimeoutError:
            raise AssertionError(f"the server keeps the connection open; it sent {received!r}") from None
        return parsed(received)


def exchange(port: int, packets: Sequence[bytes]) -> list[Reply]:
    """The answers to these packets; a last request asks the server to close the connection."""
    with Client(port) as client:
        with suppress(OSError):  # the server may close before the last request
            client.send(*packets, head("GET", "/livez", None, b"Connection: close"))
        return client.replies()


def parsed(received: bytes) -> list[Reply]:
    """The answers in what a server sent."""
    stream, replies = _Stream(received), []
    while stream.tell() < len(received):
        response = http.client.HTTPResponse(stream)  # type: ignore[arg-type]
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        replies.append(Reply(response.status, headers, response.read()))
    return replies


class _Stream(io.BytesIO):
    def makefile(self, *_: object) -> Self:
        return self

    def close(self) -> None:
        """Stays open for the next answer."""


def chunked(body: bytes, trailers: bytes = b"") -> bytes:
    """The body in two chunks."""
    half = len(body) // 2
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part]
    return b"".join([*chunks, b"0\r\n", trailers, b"\r\n"])


def head(method: str, path: str, length: int | None, *headers: bytes) -> bytes:
    """A request's head; without a length the body, if any, is framed by one of the headers."""
    lines = [f"{method} {path} HTTP/1.1\r\nHost: a".encode(), b"Content-Type: application/json", *headers]
    if length is not None:
        lines.append(b"Content-Length: %d" % length)
    return b"\r\n".join([*lines, b"", b""])
