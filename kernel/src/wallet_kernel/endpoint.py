"""An ASGI endpoint around a handler: reads a bounded body, sends the response, and maps errors to problems."""

import logging
from asyncio import CancelledError
from functools import lru_cache, partial
from time import perf_counter

from prometheus_client import Counter, Histogram

from wallet_kernel.contract.problems import Problem
from wallet_kernel.deadlines import Deadlines
from wallet_kernel.http import CLOSE, Handler, Receive, Request, Response, Scope, Send, send_response
from wallet_kernel.runtime.logs import request_id

BODY_BYTES_MAX = 64 * 1024

_DISCARDED_BYTES_MAX = 16 * 1024 * 1024
"""The endpoint reads and drops a body that is too large, up to this size. A client that is still sending does not read
the response, and closing a connection with unread data resets it. A client that sent `Expect: 100-continue` sends no
body before the response."""

BODY_TIMEOUT_S = 10.0
"""Time limit for a client to send its body. An incomplete request counts as a request in flight."""

LATENCY_BUCKETS_S = (
    0.0005,
    0.001,
    0.002,
    0.003,
    0.005,
    0.0075,
    0.01,
    0.015,
    0.02,
    0.03,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
)
"""The buckets of every latency histogram, so that one panel can show any two of them."""

REQUEST_SECONDS = Histogram(
    "wallet_request_seconds",
    "Time to serve a request.",
    ["operation"],
    buckets=LATENCY_BUCKETS_S,
)
REQUESTS = Counter("wallet_requests", "Requests by their response's status.", ["operation", "status"])

_log = logging.getLogger(__name__)


class ClientGone(Exception):
    """The client closed the connection before its request was complete, so the endpoint sends no response."""


class Endpoint:
    """Serves one handler. Logs any exception except Problem, because it is a bug, and answers `internal-error`."""

    def __init__(
        self, name: str, handler: Handler, *, takes_body: bool, body_bytes_max: int = BODY_BYTES_MAX
    ) -> None:
        self._handler = handler
        self._seconds = REQUEST_SECONDS.labels(name)
        self._count = lru_cache(partial(REQUESTS.labels, name))
        self._takes_body = takes_body
        self._body_bytes_max = body_bytes_max
        self._body_deadlines = Deadlines(BODY_TIMEOUT_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request (ASGI)."""
        begin = perf_counter()
        try:
            response = await self._answer(scope, receive)
        except ClientGone:
            return
        await send_response(response, send)
        self._seconds.observe(perf_counter() - begin)
        self._count(response.status).inc()

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        request = Request(scope)
        given = request.header(b"x-request-id")
        request_id.set(given.decode("latin-1")[:64] if given else None)
        try:
            if self._takes_body:
                request.body = await self._body(request, receive)
            return await self._handler(request)
        except Problem as problem:
            return problem.response(request.path)
        except (ClientGone, CancelledError):
            raise
        except Exception:  # noqa: BLE001 - clients must get a problem document even after a bug
            _log.exception("request failed", extra={"path": request.path})
            return Problem("internal-error", "The service failed. Its log has the cause.").response(
                request.path
            )

    async def _body(self, request: Request, receive: Receive) -> bytes:
        if _refused_unread(request, self._body_bytes_max):
            raise _too_large(self._body_bytes_max)
        try:
            async with self._body_deadlines.begin():
                return await _received(receive, self._body_bytes_max)
        except TimeoutError:
            raise Problem(
                "request-timeout", f"The body did not arrive within {BODY_TIMEOUT_S:g} s.", headers=CLOSE
            ) from None


async def _received(receive: Receive, bytes_max: int) -> bytes:
    body, received, more = b"", 0, True
    while more and received <= _DISCARDED_BYTES_MAX:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        received += len(chunk)
        body = body + chunk if received <= bytes_max else b""
        more = message.get("more_body", False)
    if received > bytes_max:
        raise _too_large(bytes_max)
    return body


def _refused_unread(request: Request, bytes_max: int) -> bool:
    length = int(request.header(b"content-length") or 0)
    return length > bytes_max and (length > _DISCARDED_BYTES_MAX or request.header(b"expect") is not None)


def _too_large(bytes_max: int) -> Problem:
    return Problem("body-too-large", f"A body may have at most {bytes_max} bytes.", headers=CLOSE)
