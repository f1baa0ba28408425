"""The gateway: the end of a request, isolation between clients, and streams."""

import http.client
import json
import re
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest
from tests.blackbox.wire import Client, exchange, head

from wallet_kernel.runtime.server import DRAIN_KEEP_ALIVE_S, KEEP_ALIVE_S
from wallet_lab.stack.files.home import checkout
from wallet_lab.stack.servers.caddy import CADDYFILE
from wallet_lab.testing import RunningStack, running_stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CHUNKED = b"Transfer-Encoding: chunked"
PATIENCE_S = 20.0
AT_ONCE_S = 10.0
"""Below the gateway's timeout for a service (15 s)."""


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """One stack for all tests of this module."""
    with running_stack("cqrs") as running:
        yield running


@pytest.fixture
def port(stack: RunningStack) -> int:
    """The gateway's port."""
    return port_of(stack.base_url)


@pytest.fixture
def wallet(port: int) -> str:
    """Opens a wallet and waits until readers see it."""
    account = f"w-{uuid.uuid4()}"
    status, document = call(port, "POST", "/wallets", account)
    assert status == 201
    assert call(port, "GET", f"/wallets/{account}/balance?min_position={document['position']}")[0] == 200
    return account


def port_of(url: str) -> int:
    """Returns the port in a URL."""
    port = urlsplit(url).port
    assert port is not None
    return port


def call(port: int, method: str, path: str, account: str | None = None) -> tuple[int, dict[str, object]]:
    """Sends one request on a new connection. With an account, the request opens it."""
    body = None if account is None else json.dumps({"accountId": account, "currency": "USD"})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        content = response.read()
        return response.status, json.loads(content) if content else {}
    finally:
        connection.close()


def streams(stack: RunningStack) -> int:
    """Returns the number of streams that the query service reports."""
    (query,) = (part for part in stack.components if part.kind == "query")
    with urllib.request.urlopen(f"{query.url}/metrics", timeout=PATIENCE_S) as answer:  # noqa: S310 - the stack's own
        found = re.search(r"^wallet_balance_streams (\S+)$", answer.read().decode(), re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


def wait_for_streams(stack: RunningStack, number: int) -> None:
    """Waits until the query service reports this number of streams."""
    end = time.monotonic() + AT_ONCE_S
    while (served := streams(stack)) != number:
        assert time.monotonic() < end, f"{served} streams are served, not {number}"
        time.sleep(0.05)


def test_services_answer_clients_without_the_gateway(stack: RunningStack) -> None:
    """The direct entry has the public ports of the command and query services, which serve no internal route."""
    (write,), (read,) = map(list, (stack.direct.write_urls, stack.direct.read_urls))
    assert len({port_of(stack.base_url), port_of(write), port_of(read)}) == 3
    account = f"w-{uuid.uuid4()}"
    status, document = call(port_of(write), "POST", "/wallets", account)
    assert status == 201
    waiting = f"/wallets/{account}/balance?min_position={document['position']}"
    assert call(port_of(read), "GET", waiting)[0] == 200
    for port in (port_of(write), port_of(read)):
        assert call(port, "GET", "/metrics")[0] == 404


@pytest.mark.parametrize("order", [1, -1], ids=["length first", "coding first"])
def test_gateway_closes_the_connection_after_a_chunked_request(port: int, order: int) -> None:
    """Data after a chunked request is not executed, because another program may count it as part of the body."""
    account = f"w-{uuid.uuid4()}"
    opening = json.dumps({"accountId": account, "currency": "USD"}).encode()
    body = b"0\r\n\r\n" + head("POST", "/wallets", len(opening)) + opening
    headers = [b"Content-Length: %d" % len(body), CHUNKED][::order]
    replies = exchange(port, [head("POST", "/wallets/balanceTransfer", None, *headers), body])
    assert [reply.status for reply in replies] == [422]
    assert call(port, "POST", "/wallets", account)[0] == 201


@contextmanager
def clients_that_break_off(port: int) -> Iterator[None]:
    """Sends requests with incomplete bodies or invalid chunks, one after the other."""
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            for rest in (b"", b"zz\r\n"):
                with Client(port) as client:
                    client.send(head("POST", "/wallets", None, CHUNKED), b"5\r\nhello\r\n" + rest)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_gateway_keeps_a_service_whose_clients_abort_requests(port: int) -> None:
    """Clients that abort within a body do not make a service unavailable to others."""
    with clients_that_break_off(port):
        for _ in range(100):
            assert call(port, "POST", "/wallets", f"w-{uuid.uuid4()}")[0] == 201


def test_head_of_a_stream_does_not_count_as_a_stream(stack: RunningStack, port: int, wallet: str) -> None:
    """HEAD of a stream is answered immediately, does not count as a stream, and blocks no other request."""
    for _ in range(30):
        begin = time.monotonic()
        assert call(port, "HEAD", f"/wallets/{wallet}/balance/stream") == (200, {})
        assert call(port, "GET", f"/wallets/{wallet}/balance")[0] == 200
        assert time.monotonic() - begin < AT_ONCE_S
    assert streams(stack) == 0


def test_stream_frees_its_place_when_its_client_leaves(stack: RunningStack, port: int, wallet: str) -> None:
    """A stream ends with its client's connection, even if the client has already sent another request."""
    request = head("GET", f"/wallets/{wallet}/balance/stream", None)
    with ExitStack() as clients:
        for ahead in (b"", request):
            clients.enter_context(Client(port)).send(request + ahead)
        wait_for_streams(stack, 2)
    wait_for_streams(stack, 0)


def test_incomplete_requests_time_out_at_the_gateway(port: int) -> None:
    """The gateway closes idle connections and incomplete heads after 10 s; an incomplete body gets 408."""
    with (
        Client(port) as idle,
        Client(port) as half_head,
        Client(port) as half_body,
        Client(port) as half_chunk,
    ):
        half_head.send(b"POST /wallets HTTP/1.1\r\nHost")
        half_body.send(head("POST", "/wallets", 100) + b"{")
        half_chunk.send(head("POST", "/wallets", None, CHUNKED) + b"5\r\nhe")
        assert idle.replies() == []
        assert [reply.status for reply in half_head.replies()] in ([], [400], [408])
        assert [reply.status for reply in half_chunk.replies()] == [408]
        assert half_body.first_reply().status == 408


def test_gateway_closes_idle_connections_before_the_service_does() -> None:
    """The gateway closes idle connections first, because a service that does would reset a request in transit."""
    found = re.search(r"^\s*keepalive (\d+)s$", (checkout() / CADDYFILE).read_text(), re.MULTILINE)
    assert found is not None
    assert int(found[1]) < DRAIN_KEEP_ALIVE_S < KEEP_ALIVE_S
