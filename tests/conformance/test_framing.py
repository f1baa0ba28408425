"""Request framing between client and service: the bytes of a body are never executed as a request.

A bystander uses the same port all the time, and must get only the answers to its own requests.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests.blackbox.api import WalletApi
from tests.blackbox.names import new_account
from tests.blackbox.pairs import Pair
from tests.blackbox.stack import Stack
from tests.blackbox.wire import (
    BROKEN_CHUNKS,
    OFFERS,
    TWO_MEANINGS,
    Client,
    Reply,
    chunked,
    exchange,
    head,
)

BYSTANDERS = 3
REFUSED = {400, 413, 417, 422, 501, 503, 505}


class Bystander(threading.Thread):
    """Opens wallets and reads them on one connection, and records every answer that belongs to another request."""

    def __init__(self, port: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port, self._stop_event = port, stop
        self.answers = 0
        self.strange: list[str] = []

    def run(self) -> None:
        """Run until the test stops it."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._stop_event.is_set():
            account = new_account()
            body = json.dumps({"accountId": account, "currency": "USD"})
            connection.request("POST", "/wallets", body, {"Content-Type": "application/json"})
            self._note(connection.getresponse(), account)
            connection.request("GET", f"/wallets/{account}/nope")
            self._note(connection.getresponse(), f"/wallets/{account}/nope")

    def _note(self, response: http.client.HTTPResponse, own: str) -> None:
        document = json.loads(response.read())
        self.answers += 1
        if own not in (document.get("accountId"), document.get("instance")):
            self.strange.append(f"{own} was answered with {response.status} {document}")


@contextmanager
def bystanders(port: int) -> Iterator[None]:
    """Run bystanders on the same port, and check that every answer they got was their own."""
    stop = threading.Event()
    threads = [Bystander(port, stop) for _ in range(BYSTANDERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [line for thread in threads for line in thread.strange] == []
    assert all(thread.answers for thread in threads)


@pytest.fixture(scope="module")
def port(stack: Stack) -> Iterator[int]:
    """The public port, with bystanders running."""
    number = urlsplit(stack.base_url).port
    assert number is not None
    with bystanders(number):
        yield number


@pytest.fixture
def smuggled(api: WalletApi) -> Iterator[bytes]:
    """The bytes of a request that opens a wallet. At the end the fixture checks that the wallet does not exist."""
    account = new_account()
    body = json.dumps({"accountId": account, "currency": "USD"}).encode()
    yield head("POST", "/wallets", len(body)) + body
    assert api.balance(account).status == 404


def refused_once(replies: list[Reply]) -> bool:
    """Whether the first request was refused, and at most the last request was answered after it."""
    statuses = [reply.status for reply in replies if reply.status != 100]
    return statuses[0] in REFUSED and statuses[1:] in ([], [200])


@pytest.mark.parametrize("packets", [1, 2])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_java_client_with_an_upgrade_offer_can_post(
    api: WalletApi, pair: Pair, port: int, is_chunked: bool, packets: int
) -> None:
    """A transfer that offers an upgrade to HTTP/2, as Java's HttpClient does, is a 201 in any framing and split."""
    body = json.dumps(
        {"fromAccount": pair.payer, "toAccount": pair.payee, "amount": 1, "currency": "USD"}
    ).encode()
    framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(body)
    start = head("POST", "/wallets/balanceTransfer", None, OFFERS[0], framing)
    message = [start, chunked(body) if is_chunked else body]
    reply = exchange(port, message if packets == 2 else [b"".join(message)])[0]
    assert reply.status == 201
    assert json.loads(reply.body)["status"] == "success"


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("offer", OFFERS, ids=["h2c", "websocket", "tls"])
def test_body_after_an_upgrade_offer_is_not_executed(
    port: int, smuggled: bytes, offer: bytes, is_chunked: bool
) -> None:
    """A body that arrives milliseconds after a head with an upgrade offer is never executed as a request."""
    framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(smuggled)
    start = head("POST", "/wallets/balanceTransfer", None, offer, framing)
    for _ in range(5):
        assert refused_once(exchange(port, [start, chunked(smuggled) if is_chunked else smuggled]))


@pytest.mark.parametrize("header", TWO_MEANINGS, ids=repr)
def test_body_after_an_ambiguous_head_is_not_executed(port: int, smuggled: bytes, header: bytes) -> None:
    """For every way in which headers state the length, the body is not executed as a request."""
    body = b"0\r\n\r\n" + smuggled
    header = header.replace(b"LENGTH", b"%d" % len(body))
    assert refused_once(exchange(port, [head("POST", "/wallets/balanceTransfer", None, header), body]))


@pytest.mark.parametrize("body", BROKEN_CHUNKS, ids=repr)
def test_bytes_after_broken_chunks_are_not_executed(port: int, smuggled: bytes, body: bytes) -> None:
    """If a chunked body is malformed, the bytes after it are not executed."""
    start = head("POST", "/wallets/balanceTransfer", None, b"Transfer-Encoding: chunked")
    assert refused_once(exchange(port, [start, body + smuggled]))


@pytest.mark.parametrize(
    "start", [b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", b"CONNECT /wallets HTTP/1.1\r\nHost: a\r\n\r\n"]
)
def test_bytes_after_a_connect_request_are_not_executed(port: int, smuggled: bytes, start: bytes) -> None:
    """The bytes after a CONNECT request are not executed."""
    assert refused_once(exchange(port, [start, smuggled]))


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue"], ids=["", "expect"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/nope"),
        ("GET", "/wallets/x/balance"),
        ("DELETE", "/livez"),
        ("PUT", "/wallets"),
    ],
)
def test_unread_body_is_not_executed(
    port: int, smuggled: bytes, method: str, path: str, expect: bytes
) -> None:
    """If a request is answered before its body arrives, the body is not executed as a request."""
    headers = [expect] if expect else []
    replies = exchange(port, [head(method, path, len(smuggled), *headers), smuggled])
    statuses = [reply.status for reply in replies if reply.status != 100]
    assert statuses[1:] in ([], [200])


@pytest.mark.parametrize("rest", [b"", b"zz\r\n"], ids=["cut off", "broken"])
def test_broken_body_does_not_affect_other_clients(api: WalletApi, port: int, rest: bytes) -> None:
    """A client that disconnects within its body, or sends garbage, does not make the service unavailable to others."""
    start = head("POST", "/wallets/balanceTransfer", None, b"Transfer-Encoding: chunked")
    for _ in range(20):
        with Client(port) as client:
            client.send(start, b"5\r\nhello\r\n" + rest)
        assert api.open_wallet(new_account()).status == 201
