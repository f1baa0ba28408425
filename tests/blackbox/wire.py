"""Sends requests as raw bytes, split into packets by the test, and parses the answers."""

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
"""Pause between two packets, so that the server reads them separately."""


OFFERS = [
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
    b"Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13",
    b"Upgrade: TLS/1.0\r\nConnection: Upgrade",
]
TWO_MEANINGS = [
    b"Content-Length: LENGTH\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: LENGTH",
    b"Content-Length: LENGTH\r\nContent-Length: LENGTH",
    b"Content-Length: 0\r\nContent-Length: LENGTH",
    *(
        b"Content-Length: " + value
        for value in (
            b"+LENGTH",
            b"-LENGTH",
            b"LENGTH, LENGTH",
            b"LENGTH,6",
            b"0xLENGTH",
            b"LENGTH.0",
            b"LENGTH 0",
            b"",
            b"LENGTH;",
        )
    ),
    b"Content-Length: 18446744073709551621",
    *(
        b"Transfer-Encoding: " + value
        for value in (
            b"xchunked",
            b"chunked, identity",
            b"identity, chunked",
            b"gzip, chunked",
            b"identity",
            b"",
        )
    ),
    b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding : chunked",
    b"Content-Length : LENGTH",
    b"X: a\r\n b\r\nContent-Length: LENGTH",
    b"X: a\nContent-Length: LENGTH",
    b"X: a\rContent-Length: LENGTH",
    b"X: a\0\r\nContent-Length: LENGTH",
]
"""Headers that two programs may read as different request lengths. LENGTH is the number of bytes after the head."""

BROKEN_CHUNKS = [
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"5;a\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"5\r\nhelloX0\r\n\r\n",
    b"4\r\nhello\r\n0\r\n\r\n",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX y\r\n\r\n",
]
"""Chunked bodies of `hello`, each with one mistake."""


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """A connection that sends exactly the given bytes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, *packets: bytes) -> None:
        """Sends the packets, with a pause after each."""
        for packet in packets:
            self._socket.sendall(packet)
            time.sleep(PAUSE_S)

    def first_reply(self) -> Reply:
        """Returns the first answer as soon as it has arrived."""
        return _read_one(self._socket)

    def replies(self) -> list[Reply]:
        """All answers, once the server has closed the connection. Raises AssertionError if the server keeps it open."""
        received = b""
        try:
            while part := self._socket.recv(65536):
                received += part
        except ConnectionResetError:
            pass  # the server dropped the bytes after the last request that it answered
        except TimeoutError:
            raise AssertionError(f"the server keeps the connection open; it sent {received!r}") from None
        return parsed(received)


def exchange(port: int, packets: Sequence[bytes]) -> list[Reply]:
    """The answers to these packets. A last request asks the server to close the connection."""
    with Client(port) as client:
        with suppress(OSError):  # the server may close before the last request
            client.send(*packets, head("GET", "/livez", None, b"Connection: close"))
        return client.replies()


def parsed(received: bytes) -> list[Reply]:
    """The answers in the received bytes."""
    stream, replies = _Stream(received), []
    while stream.tell() < len(received):
        replies.append(_read_one(stream))
    return replies


def _read_one(stream: "_Stream | socket.socket") -> Reply:
    response = http.client.HTTPResponse(stream)  # type: ignore[arg-type]
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


class _Stream(io.BytesIO):
    def makefile(self, *_: object) -> Self:
        return self

    def close(self) -> None:
        """Does nothing, so that the next answer can be read."""


def chunked(body: bytes, trailers: bytes = b"") -> bytes:
    """The body, encoded in two chunks."""
    half = len(body) // 2
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part]
    return b"".join([*chunks, b"0\r\n", trailers, b"\r\n"])


def head(method: str, path: str, length: int | None, *headers: bytes) -> bytes:
    """A request head. If ``length`` is None, one of the headers must frame the body, if any."""
    lines = [f"{method} {path} HTTP/1.1\r\nHost: a".encode(), b"Content-Type: application/json", *headers]
    if length is not None:
        lines.append(b"Content-Length: %d" % length)
    return b"\r\n".join([*lines, b"", b""])
