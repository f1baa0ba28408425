"""The end of a request: a body is never taken for a request, and every answer belongs to its own request."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.blackbox.wire import (
    BROKEN_CHUNKS,
    OFFERS,
    PATIENCE_S,
    TWO_MEANINGS,
    Client,
    Reply,
    chunked,
    exchange,
    head,
)

PROGRAM = Path(__file__).with_name("small_service.py")
INNER = head("POST", "/wallets", 5, b"X-Echo: inner") + b"inner"
"""A body that is the text of a request."""


@contextmanager
def service(gate: Path, *options: str) -> Iterator[int]:
    """Starts small_service.py and yields its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    argv = [sys.executable, str(PROGRAM), str(port), str(gate), *options]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_served(port)
            yield port
        finally:
            process.kill()


def _wait_until_served(port: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The slow operation answers once this file exists."""
    return tmp_path_factory.mktemp("gate") / "gate"


@pytest.fixture(scope="module")
def port(gate: Path) -> Iterator[int]:
    """Starts one service for all tests of this file."""
    with service(gate) as number:
        yield number


def split_whole(head_and_body: tuple[bytes, bytes]) -> list[bytes]:
    """Returns one packet."""
    return [b"".join(head_and_body)]


def split_in_two(head_and_body: tuple[bytes, bytes]) -> list[bytes]:
    """Returns the head, then the body."""
    return list(head_and_body)


def split_in_pieces(head_and_body: tuple[bytes, bytes]) -> list[bytes]:
    """Returns pieces of 30 bytes, which split headers, the head's end and chunks."""
    message = b"".join(head_and_body)
    return [message[at : at + 30] for at in range(0, len(message), 30)]


def statuses(replies: list[Reply]) -> list[int]:
    """Returns the statuses of the responses."""
    return [reply.status for reply in replies]


@pytest.mark.parametrize("split", [split_whole, split_in_two, split_in_pieces])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("offer", OFFERS, ids=["h2c", "websocket", "tls"])
def test_upgrade_offer_is_ignored(
    port: int, offer: bytes, is_chunked: bool, split: Callable[[tuple[bytes, bytes]], list[bytes]]
) -> None:
    """The body of a request with an upgrade offer remains a body, however it is framed and split."""
    body = chunked(INNER) if is_chunked else INNER
    framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(INNER)
    message = head("POST", "/wallets", None, offer, framing, b"X-Echo: outer"), body
    replies = exchange(port, split(message))
    assert statuses(replies) == [201, 200]
    assert (replies[0].body, replies[0].headers["x-echo"]) == (INNER, "outer")


def test_upgrade_offers_in_a_pipeline_are_ignored(port: int) -> None:
    """Pipelined requests, some with an upgrade offer, are answered in order."""
    plain = head("POST", "/wallets", 1) + b"a"
    offering = head("POST", "/wallets", 1, OFFERS[0]) + b"b"
    without_body = head("GET", "/wallets/user1/balance", None, OFFERS[1], b"X-Echo: c")
    replies = exchange(port, [plain + offering + without_body + offering + plain])
    assert [reply.body for reply in replies[:-1]] == [b"a", b"b", b"c", b"b", b"a"]


@pytest.mark.parametrize("header", TWO_MEANINGS, ids=repr)
def test_ambiguous_head_is_refused(port: int, header: bytes) -> None:
    """A request with an ambiguous end gets one 400, and the bytes after its head are not parsed."""
    body = b"0\r\n\r\n" + INNER
    header = header.replace(b"LENGTH", b"%d" % len(body))
    replies = exchange(port, [head("POST", "/wallets", None, header), body])
    assert statuses(replies) == [400]
    assert replies[0].headers["connection"] == "close"


@pytest.mark.parametrize("body", BROKEN_CHUNKS, ids=repr)
def test_broken_chunks_are_refused(port: int, body: bytes) -> None:
    """A malformed chunked body gets one 400, and the bytes after it are not parsed."""
    replies = exchange(port, [head("POST", "/wallets", None, b"Transfer-Encoding: chunked"), body + INNER])
    assert statuses(replies) == [400]


@pytest.mark.parametrize(
    "start",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /wallets HTTP/2.0\r\nHost: a\r\n\r\n",
        b"POST /wallets HTTP/0.9\r\nHost: a\r\n\r\n",
        b"POST /wallets\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
    ids=repr,
)
def test_other_protocols_are_refused(port: int, start: bytes) -> None:
    """Other HTTP versions and TLS get one 400, and the bytes after them are not parsed."""
    assert statuses(exchange(port, [start, INNER])) == [400]


@pytest.mark.parametrize("target", [b"a:80", b"/wallets"])
def test_connect_request_is_refused(port: int, target: bytes) -> None:
    """CONNECT gets one 501, and the bytes after it are not parsed."""
    start = b"CONNECT " + target + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
    assert statuses(exchange(port, [start, INNER])) == [501]


@pytest.mark.parametrize("framing", ["length", "chunked", "expect"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/nope"), ("GET", "/wallets/user1/balance"), ("PUT", "/wallets")]
)
def test_connection_closes_if_the_answer_precedes_the_body(
    port: int, method: str, path: str, framing: str
) -> None:
    """If the answer is sent before the body has arrived, the body is dropped and the connection closes."""
    start, body = {
        "length": (head(method, path, len(INNER)), INNER),
        "chunked": (head(method, path, None, b"Transfer-Encoding: chunked"), chunked(INNER)),
        "expect": (head(method, path, len(INNER), b"Expect: 100-continue"), INNER),
    }[framing]
    replies = exchange(port, [start, body])
    assert len(replies) == 1
    assert replies[0].headers["connection"] == "close"


def test_connection_stays_open_if_the_body_has_arrived(port: int) -> None:
    """If the body arrived before the answer was sent, the next request is served, even if the body was not read."""
    assert statuses(exchange(port, [head("POST", "/nope", len(INNER)) + INNER])) == [404, 200]


def test_trailers_are_not_headers(port: int) -> None:
    """A field after a chunked body is not a header of its request."""
    start = head("POST", "/wallets", None, b"Transfer-Encoding: chunked")
    replies = exchange(port, [start + chunked(b"hello", b"X-Echo: trailer\r\n")])
    assert (replies[0].body, replies[0].headers["x-echo"]) == (b"hello", "")
    assert statuses(replies) == [201, 200]


def test_endless_trailers_are_refused_after_the_bound(port: int) -> None:
    """Trailers count against the bound of a head."""
    with Client(port) as client:
        client.send(head("POST", "/wallets", None, b"Transfer-Encoding: chunked") + b"0\r\nX: ")
        client.send(*[b"a" * 10_000] * 20)
        assert statuses(client.replies()) == [400]


@pytest.mark.parametrize(
    "garbage", [b"\0\0\0", head("POST", "/wallets", None, TWO_MEANINGS[0])], ids=["bytes", "head"]
)
def test_bytes_after_a_request_are_refused_after_its_answer(port: int, gate: Path, garbage: bytes) -> None:
    """A request gets its own answer, even if the bytes after it are not HTTP."""
    gate.unlink(missing_ok=True)
    with Client(port) as client:
        client.send(head("POST", "/wallets/balanceTransfer", 2) + b"{}", garbage + INNER)
        gate.touch()
        assert statuses(client.replies()) == [201, 400]


def test_a_pipeline_is_bounded(port: int, gate: Path) -> None:
    """Of many pipelined requests, 16 wait for the first one; the next one is refused, and the rest is dropped."""
    gate.unlink(missing_ok=True)
    with Client(port) as client:
        client.send(head("POST", "/wallets/balanceTransfer", 2) + b"{}", INNER * 40)
        gate.touch()
        assert statuses(client.replies()) == [201] * 17 + [503]


def test_incomplete_head_times_out(tmp_path: Path) -> None:
    """An idle connection closes, and an incomplete head gets 408; the timeout does not apply to a running request."""
    with service(tmp_path / "gate", "impatient") as port:
        with Client(port) as idle, Client(port) as half, Client(port) as blank, Client(port) as second:
            half.send(b"POST /wallets HTTP/1.1\r\nHost")
            blank.send(b"\r\n")
            second.send(head("GET", "/livez", None) + b"GET /li")
            assert idle.replies() == []
            assert blank.replies() == []
            assert statuses(half.replies()) == [408]
            assert statuses(second.replies()) == [200, 408]
        with Client(port) as slow:
            slow.send(head("POST", "/wallets/balanceTransfer", 2), b"{}")
            time.sleep(0.5)
            (tmp_path / "gate").touch()
            slow.send(head("GET", "/livez", None, b"Connection: close"))
            assert statuses(slow.replies()) == [201, 200]


def test_idle_connection_closes_after_its_last_response(tmp_path: Path) -> None:
    """A connection closes when it was idle for the whole keep-alive time; each request begins this time again."""
    request = head("GET", "/livez", None)
    with service(tmp_path / "gate", "brief") as port, Client(port) as client:
        begin = time.monotonic()
        for _ in range(3):
            client.send(request)
            time.sleep(1.2)
        assert statuses(client.replies()) == [200] * 3
        assert 4.0 < time.monotonic() - begin < PATIENCE_S
