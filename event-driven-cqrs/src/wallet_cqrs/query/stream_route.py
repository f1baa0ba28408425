"""GET /wallets/{accountId}/balance/stream: server-sent events (WHATWG HTML §9.2) of a wallet's balance.

A stream starts with the current balance and continues with every change. If changes come faster than the client reads,
it gets only the newest. Comments keep an idle stream alive. All streams share one timer and one subscription to Redis.
Streams end when the service drains; clients reconnect automatically.
"""

from collections.abc import AsyncIterator
from typing import Any

from prometheus_client import Gauge
from starlette.responses import StreamingResponse
from starlette.routing import Route

from wallet_cqrs.balance_cache import Entry
from wallet_cqrs.query.balance_reader import BalanceReader
from wallet_cqrs.query.responses import READ_ERRORS, read_problem
from wallet_cqrs.query.streams import Announcements, Heartbeats, Listener
from wallet_kernel.contract import requests
from wallet_kernel.contract.openapi import problems
from wallet_kernel.contract.problems import Problem, refused
from wallet_kernel.http import Receive, Request, Scope, Send, send_response
from wallet_kernel.refusals import Refusal

PATH = "/wallets/{accountId}/balance/stream"
STREAMS = Gauge("wallet_balance_streams", "Balance streams being served.")

_EVENT: dict[str, Any] = {
    "type": "object",
    "description": "The wallet now, and at every change.",
    "properties": {
        "event": {"const": "balance"},
        "id": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "The wallet's version."},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/Wallet"},
        },
    },
    "required": ["event", "id", "data"],
}
_PROBLEMS = (
    "invalid-request",
    "unauthorized",
    "wallet-not-found",
    "position-not-reached",
    "overloaded",
    "draining",
    "shard-unavailable",
    "internal-error",
)

OPENAPI: dict[str, Any] = {
    "get": {
        "operationId": "balanceStream",
        "summary": "A wallet's balance and its changes, as server-sent events; the schema is that of one event",
        "parameters": [
            {"$ref": "#/components/parameters/accountId"},
            {"$ref": "#/components/parameters/min_position"},
        ],
        "responses": {
            "200": {
                "description": "Events until the client leaves or the service stops; comments keep it alive.",
                "content": {"text/event-stream": {"schema": _EVENT}},
            },
            **problems(_PROBLEMS),
        },
    }
}


class BalanceStreams:
    """Serves balance streams, up to a maximum number."""

    def __init__(
        self,
        balances: BalanceReader,
        announcements: Announcements,
        heartbeats: Heartbeats,
        streams_max: int,
    ) -> None:
        self._balances = balances
        self._announcements = announcements
        self._heartbeats = heartbeats
        self._streams_max = streams_max
        self._open = 0

    def route(self) -> Route:
        """Returns the route of the streams."""
        return Route(PATH, self, methods=["GET"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one stream (ASGI). Streams that still wait for their first balance count towards the maximum too."""
        request = Request(scope)
        if self._open >= self._streams_max:
            await send_response(_TOO_MANY.response(request.path), send)
        elif scope["method"] == "HEAD":
            await self._serve(request, receive, send)
        else:
            self._count(+1)
            try:
                await self._serve(request, receive, send)
            finally:
                self._count(-1)

    def _count(self, change: int) -> None:
        self._open += change
        STREAMS.set(self._open)

    async def _serve(self, request: Request, receive: Receive, send: Send) -> None:
        try:
            account_id, first = await self._begin(request)
        except Problem as problem:
            await send_response(problem.response(request.path), send)
            return
        # A response to HEAD has no body, because a stream would block the connection's next request.
        events = StreamingResponse(
            self._events(account_id, first) if request.scope["method"] == "GET" else _no_events(),
            media_type="text/event-stream",
            headers={"cache-control": "no-store"},
        )
        await events(request.scope, receive, send)

    async def _begin(self, request: Request) -> tuple[str, Entry]:
        account_id, min_position = requests.path_account(request), requests.min_position(request)
        try:
            entry = await self._balances.balance(account_id, min_position)
        except READ_ERRORS as error:
            raise read_problem(error) from error
        if entry is None:
            raise refused(Refusal.WALLET_NOT_FOUND, account_id)
        return account_id, entry

    async def _events(self, account_id: str, first: Entry) -> AsyncIterator[bytes]:
        yield _event(first)
        with self._announcements.listen(account_id) as listener, self._heartbeats.reach(listener):
            async for chunk in self._changes(account_id, first, listener):
                yield chunk

    async def _changes(self, account_id: str, first: Entry, listener: Listener) -> AsyncIterator[bytes]:
        shown = looked = first
        while not self._heartbeats.draining:
            if listener.must_look:
                listener.must_look = False
                entry = looked = await self._look(account_id) or looked
            else:
                entry = await listener.next() or shown
            if entry.replaces(shown):
                shown = entry
                yield _event(entry)
            elif listener.is_due:
                yield b": alive\n\n"
                # An announcement may be lost, unless the read model has not changed since the last read.
                listener.must_look = not self._balances.is_current(account_id, looked)
            listener.is_due = False

    async def _look(self, account_id: str) -> Entry | None:
        try:
            return await self._balances.fresh(account_id, 0)
        except (*READ_ERRORS, Problem):
            return None


async def _no_events() -> AsyncIterator[bytes]:
    return
    yield


def _event(entry: Entry) -> bytes:
    return b"event: balance\nid: %d\ndata: %s\n\n" % (entry.version, entry.body)


_TOO_MANY = Problem("overloaded", "Too many streams are open; connect again later.")
