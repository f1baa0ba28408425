"""Reads a stack through its contract: wallets, whole statements, and transfers that have ended."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from typing import Self, TypeVar
from urllib.parse import urlsplit

import msgspec

from wallet_lab.checker.bodies import micros, microseconds, statements
from wallet_lab.errors import LabError
from wallet_lab.stack.components import Entry

CALLS_MAX = 16
"""Calls at the same time."""
TIMEOUT_S = 30.0
ENDED_WITHIN_S = 60.0
PAGE = 500
PAGES_MAX = 10_000
_LOOK_EVERY_S = 0.1
_VERSION_MAX = 2**63 - 1
_IMPOSSIBLE = -1
"""The balance and the time of a wallet whose answer has other ones than the contract allows. No rule accepts them."""

Row = tuple[object, ...]
_T = TypeVar("_T")
_R = TypeVar("_R")


class _Wallet(msgspec.Struct, rename="camel"):
    currency: str
    balance: Decimal
    version: int
    status: str
    last_updated: str


class _Step(msgspec.Struct):
    at: str


class _Transfer(msgspec.Struct, rename="camel"):
    status: str
    from_account: str
    to_account: str
    amount: Decimal
    currency: str
    timeline: list[_Step]
    reason: str | None = None


class _Page(msgspec.Struct, rename="camel"):
    next_cursor: str | None = None


class Api:
    """The API of one stack. Its calls run in threads, each with a connection that stays open."""

    def __init__(self, entry: Entry, threads: ThreadPoolExecutor) -> None:
        """Use `opened`."""
        self._entry = entry
        self._threads = threads
        self._connections = threading.local()

    @classmethod
    @contextmanager
    def opened(cls, entry: Entry) -> Iterator[Self]:
        """Yield the API at the first URLs of an entry."""
        with ThreadPoolExecutor(CALLS_MAX) as threads:
            yield cls(entry, threads)

    async def of_each(self, items: Iterable[_T], call: Callable[[_T], Awaitable[_R]]) -> list[_R]:
        """Call for each item, at most CALLS_MAX at the same time. The first error ends all of them."""
        places = asyncio.Semaphore(CALLS_MAX)

        async def in_turn(item: _T) -> _R:
            async with places:
                return await call(item)

        return list(await asyncio.gather(*map(in_turn, items)))

    async def open_wallet(self, account: str, balance_micros: int, currency: str) -> None:
        """Open a wallet, unless it exists. Raises LabError if the stack refuses."""
        balance = f"{balance_micros // 1_000_000}.{balance_micros % 1_000_000:06}"
        body = json.dumps({"accountId": account, "currency": currency, "balance": balance})
        status, text = await self._send("POST", "/wallets", body, {"Idempotency-Key": f"seed-{account}"})
        if status not in {201, 409}:
            raise LabError(f"POST /wallets for {account} answered {status}: {text[:200]!r}")

    async def wallet(self, account: str) -> Row | None:
        """Return currency, status, balance, version and time of a wallet; None if it does not exist."""
        path = f"/wallets/{account}/balance"
        text = await self._get(path)
        if text is None:
            return None
        found = _decoded(path, text, _Wallet)
        try:
            balance, at_us = micros(found.balance), microseconds(found.last_updated)
        except (ValueError, ArithmeticError):
            balance = at_us = _IMPOSSIBLE
        return found.currency, found.status, balance, min(found.version, _VERSION_MAX), at_us

    async def items(self, account: str) -> list[Row]:
        """Return all items of a wallet's statement as the checker parses them."""
        items: list[Row] = []
        cursor: str | None = ""
        for _ in range(PAGES_MAX):
            path = f"/wallets/{account}/transactions?limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")
            text = await self._get(path)
            if text is None:
                return items
            items += [item[2:] for item in _page(path, text)]
            cursor = _decoded(path, text, _Page).next_cursor
            if cursor is None:
                return items
        raise LabError(f"the statement of {account} has more than {PAGES_MAX} pages")

    async def ended_transfer(self, transaction_id: str) -> Row | None:
        """Return a transfer when it has ended, or as it is after ENDED_WITHIN_S; None if it does not exist."""
        deadline_s = time.monotonic() + ENDED_WITHIN_S
        while True:
            path = f"/transfers/{transaction_id}"
            text = await self._get(path)
            if text is None:
                return None
            found = _decoded(path, text, _Transfer)
            if found.status != "pending" or time.monotonic() > deadline_s:
                return _transfer(transaction_id, found)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _get(self, path: str) -> bytes | None:
        status, text = await self._send("GET", path)
        if status not in {200, 404}:
            raise LabError(f"GET {path} answered {status}: {text[:200]!r}")
        return text if status == 200 else None

    async def _send(
        self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        urls = self._entry.read_urls if method == "GET" else self._entry.write_urls
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, self._exchange, urls[0], method, path, body, headers or {}
        )

    def _exchange(
        self, url: str, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Send a call on this thread's connection. If the connection was closed, send the call once more."""
        known = self._connections.__dict__
        for attempt in (1, 2):
            connection = known.setdefault(url, HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_S))
            try:
                connection.request(method, path, body, {"Content-Type": "application/json", **headers})
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (HTTPException, OSError) as error:
                known.pop(url).close()
                if attempt == 2:
                    raise LabError(f"{method} {url}{path} got no answer: {error!r}") from error
        raise AssertionError


def _decoded(path: str, text: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise LabError(f"GET {path} answered something else than the contract says: {error}") from None


def _page(path: str, text: bytes) -> list[Row]:
    pages, items = statements([(0, text.decode())])
    if not pages:
        raise LabError(f"GET {path} answered something else than a statement: {text[:200]!r}")
    return items


def _transfer(transaction_id: str, found: _Transfer) -> Row:
    reason = found.reason.rpartition("/")[2] if found.reason else None
    try:
        amount, times = micros(found.amount), [microseconds(step.at) for step in found.timeline] or [0]
    except (ValueError, ArithmeticError):
        amount, times = _IMPOSSIBLE, [_IMPOSSIBLE]
    parties = (found.from_account, found.to_account, amount, found.currency)
    return transaction_id, found.status, *parties, reason, min(times), max(times)
