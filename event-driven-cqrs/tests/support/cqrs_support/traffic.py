"""Clients of a running stack, and the load that they generate while a test injects faults."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec

REQUEST_TIMEOUT_S = 30.0
INSIST_MAX_S = 90.0
"""Longer than any outage in a test."""
BUSY_CLIENTS = 16


@dataclass(frozen=True)
class Reply:
    """The status and document of a response."""

    status: int
    document: dict[str, Any]


class Client:
    """A client of the public port. Amounts are whole units."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    async def send(self, method: str, path: str, key: str | None = None, **body: object) -> Reply:
        """Sends one request. Raises aiohttp's error if there is no response."""
        headers = {"Idempotency-Key": key} if key else {}
        json = body or None
        async with self._session.request(
            method, self._base_url + path, json=json, headers=headers
        ) as response:
            return Reply(response.status, _decode(await response.read()))

    async def insist(self, method: str, path: str, **body: object) -> Reply:
        """Repeats a request with the same key until the response is not a 5xx, for a limited time."""
        key, last_answer = str(uuid.uuid4()), "nothing"
        end_s = time.monotonic() + INSIST_MAX_S
        while time.monotonic() < end_s:
            try:
                reply = await self.send(method, path, key, **body)
                if reply.status < 500:
                    return reply
                last_answer = str(reply)
            # An injected fault may break a connection.
            except (aiohttp.ClientError, TimeoutError) as error:
                last_answer = repr(error)
            await asyncio.sleep(0.1)
        raise AssertionError(
            f"{method} {path} has no answer after {INSIST_MAX_S:.0f} s; the last was {last_answer}"
        )

    async def open(self, account: str, balance: int) -> Reply:
        """Opens a wallet with US dollars."""
        return await self.insist("POST", "/wallets", accountId=account, currency="USD", balance=balance)

    async def deposit(self, account: str, amount: int) -> Reply:
        """Deposits money."""
        return await self.insist("POST", f"/wallets/{account}/deposits", amount=amount, currency="USD")

    async def balance(self, account: str, min_position: int) -> Reply:
        """Reads the balance at a position or later."""
        return await self.send("GET", f"/wallets/{account}/balance?min_position={min_position}")


def _decode(content: bytes) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(content, type=dict[str, Any]) if content else {}
    return document


@asynccontextmanager
async def client(base_url: str) -> AsyncIterator[Client]:
    """Opens a client with separate connections."""
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=64)) as session:
        yield Client(session, base_url)


@dataclass
class Traffic:
    """The responses that busy clients have received so far."""

    acknowledged: list[str] = field(default_factory=list)
    """Transaction ids of the transfers with a response 201."""


@asynccontextmanager
async def busy(base_url: str, wallets: int = 20) -> AsyncIterator[Traffic]:
    """Runs many clients that transfer money while the context is open. Each repeats until it has a response."""
    traffic, stop = Traffic(), asyncio.Event()
    async with client(base_url) as user:
        names = [f"busy-{uuid.uuid4().hex[:12]}" for _ in range(wallets)]
        for name in names:
            await user.open(name, 1000)
        clients = [asyncio.create_task(_transfer(user, names, traffic, stop)) for _ in range(BUSY_CLIENTS)]
        try:
            yield traffic
        finally:
            stop.set()
            await asyncio.gather(*clients)


async def _transfer(user: Client, names: list[str], traffic: Traffic, stop: asyncio.Event) -> None:
    while not stop.is_set():
        payer, payee = random.sample(names, 2)
        body = {"fromAccount": payer, "toAccount": payee, "amount": 1, "currency": "USD"}
        reply = await user.insist("POST", "/wallets/balanceTransfer", **body)
        assert reply.status in (201, 409), reply
        if reply.status == 201:
            traffic.acknowledged.append(reply.document["transactionId"])


class Witness:
    """Continuously writes and reads its own wallet, and records stale reads and errors."""

    def __init__(self) -> None:
        self.reads = 0
        self.complaints: list[str] = []

    @asynccontextmanager
    async def watching(self, base_url: str) -> AsyncIterator[None]:
        """Runs the witness while the context is open."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._watch(base_url, stop))
        try:
            yield
        finally:
            stop.set()
            await task

    async def _watch(self, base_url: str, stop: asyncio.Event) -> None:
        async with client(base_url) as user:
            account, expected = f"witness-{uuid.uuid4().hex[:12]}", Decimal(0)
            await user.open(account, 0)
            while not stop.is_set():
                written = await user.deposit(account, 1)
                expected += 1
                read = await user.balance(account, written.document["position"])
                self.reads += 1
                if (read.status, read.document.get("balance")) != (200, expected):
                    self.complaints.append(f"expected {expected}, read {read}")
