"""The endpoint: bodies are bounded, and every error becomes a problem document."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from prometheus_client import REGISTRY

from wallet_kernel.contract.problems import Problem
from wallet_kernel.endpoint import Endpoint
from wallet_kernel.http import Request, Response
from wallet_kernel.runtime.logs import request_id

pytestmark = pytest.mark.anyio
Exchange = Callable[..., Coroutine[Any, Any, Any]]


async def echo(request: Request) -> Response:
    """Returns the body."""
    return Response(200, request.body, ((b"x-extra", b"1"),), b"text/plain")


async def test_response_is_sent_unchanged(exchange: Exchange) -> None:
    """The client gets the status, headers, length and type of the answer."""
    reply = await exchange(Endpoint("test", echo, takes_body=True), "POST", "/", b"hel", b"lo")
    assert (reply.status, reply.body) == (200, b"hello")
    assert reply.headers == {"content-type": "text/plain", "content-length": "5", "x-extra": "1"}


async def test_get_does_not_read_a_body(exchange: Exchange) -> None:
    """A GET's handler is called without reading a body."""
    reply = await exchange(Endpoint("test", echo, takes_body=False), "GET", "/", b"ignored")
    assert reply.body == b""


@pytest.mark.parametrize("size", [0, 1, 8])
async def test_body_of_exactly_the_bound_is_accepted(exchange: Exchange, size: int) -> None:
    """A body of exactly the bound is accepted, in one chunk or many."""
    endpoint = Endpoint("test", echo, takes_body=True, body_bytes_max=8)
    whole = await exchange(endpoint, "POST", "/", b"x" * size, headers={"content-length": str(size)})
    assert (whole.status, len(whole.body)) == (200, size)
    chunked = await exchange(endpoint, "POST", "/", *[b"x"] * size)
    assert (chunked.status, len(chunked.body)) == (200, size)


@pytest.mark.parametrize(
    "headers",
    [{"content-length": "9", "expect": "100-continue"}, {"content-length": str(17 * 1024 * 1024)}],
    ids=["asks first", "huge"],
)
async def test_announced_large_body_is_refused_before_it_is_read(
    make_call: Callable[..., Request], headers: dict[str, str]
) -> None:
    """A client that sends Expect, or announces a far too large body, is refused before the body is read."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    await Endpoint("test", echo, takes_body=True, body_bytes_max=8)(
        make_call(headers=headers).scope, receive, send
    )
    assert sent[0]["status"] == 413
    assert (b"connection", b"close") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["type"] == "/problems/body-too-large"


@pytest.mark.parametrize("headers", [{"content-length": "3000"}, {}], ids=["announced", "streamed"])
async def test_body_above_the_bound_is_refused(exchange: Exchange, headers: dict[str, str]) -> None:
    """A body above the bound is dropped without calling the handler, and the answer closes the connection."""
    endpoint = Endpoint("test", echo, takes_body=True, body_bytes_max=8)
    reply = await exchange(endpoint, "POST", "/wallets", *[b"xxx"] * 1000, headers=headers)
    assert (reply.status, reply.document["type"]) == (413, "/problems/body-too-large")
    assert reply.headers["connection"] == "close"


async def test_endless_body_is_refused_after_the_bound(make_call: Callable[..., Request]) -> None:
    """An endless body is refused after a bounded number of bytes."""
    received = 0

    async def receive() -> dict[str, Any]:
        nonlocal received
        received += 1024 * 1024
        return {"type": "http.request", "body": b"x" * 1024 * 1024, "more_body": True}

    async def send(message: Any) -> None:
        assert message.get("status", 413) == 413

    await Endpoint("test", echo, takes_body=True)(make_call(headers={}).scope, receive, send)
    assert received <= 17 * 1024 * 1024


async def test_missing_body_times_out(
    make_call: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing or very slow body times out, because it counts as a request in flight."""
    monkeypatch.setattr("wallet_kernel.endpoint.BODY_TIMEOUT_S", 0.2)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    serving = Endpoint("test", echo, takes_body=True)(make_call(headers={}).scope, receive, send)
    async with asyncio.timeout(60):
        await serving
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["type"] == "/problems/request-timeout"


async def test_disconnected_client_gets_no_answer(exchange: Exchange) -> None:
    """If the connection closes in the middle of a body, the handler does not run and no answer is sent."""
    handled: list[Request] = []

    async def handler(request: Request) -> Response:
        handled.append(request)
        return Response(200, b"")

    reply = await exchange(
        Endpoint("test", handler, takes_body=True), "POST", "/", b'{"amount"', disconnects=True
    )
    assert (reply.status, handled) == (0, [])


async def test_problem_is_answered_with_its_document(exchange: Exchange) -> None:
    """If a handler raises a problem, the client gets its document, with the requested path."""

    async def handler(_: Request) -> Response:
        raise Problem("wallet-not-found", "The wallet user9 does not exist.")

    reply = await exchange(Endpoint("test", handler, takes_body=False), "GET", "/wallets/user9/balance")
    assert reply.status == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.document["instance"] == "/wallets/user9/balance"


async def test_bug_is_logged_and_its_details_are_hidden_from_the_client(
    exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    """Any other exception is a 500 problem without details, and a log entry with a traceback."""

    async def handler(_: Request) -> Response:
        raise KeyError("secret detail")

    with caplog.at_level(logging.ERROR):
        reply = await exchange(Endpoint("test", handler, takes_body=False), "GET", "/wallets/user1")
    assert (reply.status, reply.document["type"]) == (500, "/problems/internal-error")
    assert b"secret" not in reply.body
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.__dict__["path"] == "/wallets/user1"


async def test_cancellation_is_not_swallowed(exchange: Exchange) -> None:
    """A cancelled request sends no answer, because another service must not take a lost call for an answer."""

    async def handler(_: Request) -> Response:
        await asyncio.sleep(60)
        raise AssertionError

    task = asyncio.create_task(exchange(Endpoint("test", handler, takes_body=False), "GET", "/"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_request_id_belongs_to_its_request(exchange: Exchange) -> None:
    """The X-Request-Id, cut to a bound, is set only while its request is served."""
    seen = []

    async def handler(_: Request) -> Response:
        seen.append(request_id.get())
        return Response(200, b"")

    endpoint = Endpoint("test", handler, takes_body=False)
    await exchange(endpoint, "GET", "/", headers={"X-Request-Id": "r-1"})
    await exchange(endpoint, "GET", "/")
    await exchange(endpoint, "GET", "/", headers={"X-Request-Id": "é" * 100})
    assert seen == ["r-1", None, "é" * 64]


async def test_requests_are_counted_and_timed(exchange: Exchange) -> None:
    """Requests are counted by operation and status, and their time includes sending the answer."""
    await exchange(Endpoint("counted", echo, takes_body=True), "POST", "/", b"x")
    await exchange(Endpoint("counted", echo, takes_body=True, body_bytes_max=0), "POST", "/", b"x")
    for status in ("200", "413"):
        labels = {"operation": "counted", "status": status}
        assert REGISTRY.get_sample_value("wallet_requests_total", labels) == 1
    assert REGISTRY.get_sample_value("wallet_request_seconds_count", {"operation": "counted"}) == 2


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", {}),
        ("a=1&a=2", {"a": "2"}),
        ("a=&b", {"a": "", "b": ""}),
        ("a=%C3%A9+x", {"a": "é x"}),
        ("a=%ff", {"a": "\ufffd"}),
    ],
)
async def test_query_parameters_are_decoded(
    make_call: Callable[..., Request], query: str, values: dict[str, str]
) -> None:
    """Parameters are decoded; the last of repeated ones counts, and empty ones are kept."""
    assert make_call(query=query).query == values
