"""A client of the wallet contract. The same calls are sent synchronously or with asyncio.

As soon as a write has answered a ``position``, reads carry ``min_position``. So the same test reads its own writes with
both architectures.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

import httpx

from tests.blackbox import exact

JSON = {"Content-Type": "application/json"}
TIMEOUT_S = 30.0
Reply = TypeVar("Reply")


@dataclass(frozen=True)
class Call:
    """One request before it is sent. ``body`` is the exact bytes; ``reads`` adds ``min_position``."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str | bytes] = field(default_factory=dict)
    body: bytes | Iterable[bytes] | None = None
    reads: bool = False


@dataclass(frozen=True)
class Answer:
    """One response. The body is kept as bytes, so that numbers can be read exactly."""

    status: int
    headers: httpx.Headers
    content: bytes

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body, fractions as ``Decimal``."""
        document = exact.decode(self.content)
        assert isinstance(document, dict), self
        return document

    @property
    def problem(self) -> str | None:
        """The name in the problem's ``type``, or None if the response is not a problem document."""
        if not self.headers.get("content-type", "").startswith("application/problem+json"):
            return None
        return str(self.document["type"]).removeprefix("/problems/")

    @property
    def replayed(self) -> bool:
        """Whether the service marks this answer as an idempotent replay."""
        return str(self.headers.get("idempotent-replayed")) == "true"

    @property
    def transaction_id(self) -> str | None:
        """The transaction id in this answer, or None."""
        found = self.document.get("transactionId")
        return found if isinstance(found, str) else None

    def money(self, member: str) -> str:
        """The exact text of the only number called ``member``."""
        (text,) = exact.number_texts(self.content, member)
        return text


class Calls(Generic[Reply]):
    """The calls of the contract. A subclass implements ``send``."""

    def send(self, call: Call) -> Reply:
        """Send one call."""
        raise NotImplementedError

    def read(self, path: str, **query: str | int | None) -> Reply:
        """Send a GET that sees this client's writes. Query members that are None are left out."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        return self.send(Call("GET", path, given, reads=True))

    def write(self, method: str, path: str, body: object, key: str | bytes | None = None) -> Reply:
        """Send a request with a JSON body, and an Idempotency-Key if one is given."""
        headers: dict[str, str | bytes] = {**JSON}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.send(Call(method, path, headers=headers, body=exact.encode(body)))

    def open_wallet(
        self, account: object, currency: object = "USD", balance: object = None, key: str | None = None
    ) -> Reply:
        """POST /wallets. If ``balance`` is None, the member is left out."""
        body = {"accountId": account, "currency": currency}
        return self.write("POST", "/wallets", body if balance is None else {**body, "balance": balance}, key)

    def transfer(
        self,
        payer: object,
        payee: object,
        amount: object,
        currency: object = "USD",
        key: str | bytes | None = None,
    ) -> Reply:
        """POST /wallets/balanceTransfer."""
        body = {"fromAccount": payer, "toAccount": payee, "amount": amount, "currency": currency}
        return self.write("POST", "/wallets/balanceTransfer", body, key)

    def deposit(
        self, account: str, amount: object, currency: object = "USD", key: str | None = None
    ) -> Reply:
        """POST /wallets/{accountId}/deposits."""
        return self.write("POST", f"{wallet_path(account)}/deposits", money(amount, currency), key)

    def withdraw(
        self, account: str, amount: object, currency: object = "USD", key: str | None = None
    ) -> Reply:
        """POST /wallets/{accountId}/withdrawals."""
        return self.write("POST", f"{wallet_path(account)}/withdrawals", money(amount, currency), key)

    def set_status(self, account: str, status: object) -> Reply:
        """PUT /wallets/{accountId}."""
        return self.write("PUT", wallet_path(account), {"status": status})

    def close_wallet(self, account: str) -> Reply:
        """DELETE /wallets/{accountId}."""
        return self.send(Call("DELETE", wallet_path(account)))

    def balance(self, account: str, currency: str | None = None, at: str | None = None) -> Reply:
        """GET /wallets/{accountId}/balance."""
        return self.read(f"{wallet_path(account)}/balance", currency=currency, at=at)

    def statement(self, account: str, limit: str | int | None = None, cursor: str | None = None) -> Reply:
        """GET /wallets/{accountId}/transactions."""
        return self.read(f"{wallet_path(account)}/transactions", limit=limit, cursor=cursor)

    def transfer_document(self, transaction_id: str) -> Reply:
        """GET /transfers/{transactionId}."""
        return self.read(f"/transfers/{quote(transaction_id, safe='')}")


def wallet_path(account: str) -> str:
    """The path of one wallet, percent-encoded."""
    return f"/wallets/{quote(account, safe='')}"


def money(amount: object, currency: object) -> dict[str, Any]:
    """The body of a deposit or a withdrawal."""
    return {"amount": amount, "currency": currency}


class _ReadYourWrites:
    """Remembers the newest position that a write has answered, and makes reads wait for it."""

    def __init__(self) -> None:
        self.position: int | None = None

    def prepared(self, call: Call) -> dict[str, Any]:
        query = dict(call.query)
        if call.reads and self.position is not None:
            query.setdefault("min_position", str(self.position))
        headers = list(call.headers.items())
        return {
            "method": call.method,
            "url": call.path + _encoded(query),
            "headers": headers,
            "content": call.body,
        }

    def noted(self, call: Call, answer: Answer) -> Answer:
        if call.method != "GET" and answer.status < 300 and answer.content:
            position = answer.document.get("position")
            if position is not None:
                self.position = max(self.position or 0, int(position))
        return answer


def _encoded(query: Mapping[str, str]) -> str:
    return "?" + str(httpx.QueryParams(dict(query))) if query else ""


class WalletApi(Calls[Answer]):
    """The synchronous client."""

    def __init__(self, base_url: str, api_key: str | None = None) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=TIMEOUT_S, headers=_authorization(api_key))
        self._fresh = _ReadYourWrites()

    def send(self, call: Call) -> Answer:
        """Send one call and read the whole answer. Redirects are not followed."""
        response = self._client.request(**self._fresh.prepared(call))
        return self._fresh.noted(call, Answer(response.status_code, response.headers, response.content))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class AsyncWalletApi(Calls[Awaitable[Answer]]):
    """The asyncio client, with at most ``concurrency`` calls in flight.

    Every connection has its own httpx client, because a pool scans all its connections several times per request. With
    50 connections that costs the load generator more CPU than the server's whole answer.
    """

    def __init__(self, base_url: str, concurrency: int = 50, timeout_s: float = TIMEOUT_S) -> None:
        self._idle: asyncio.LifoQueue[httpx.AsyncClient] = asyncio.LifoQueue()
        self._fresh = _ReadYourWrites()
        trusted = httpx.create_ssl_context()
        for _ in range(concurrency):
            self._idle.put_nowait(_one_connection(base_url, timeout_s, trusted))
        self._concurrency = concurrency

    async def send(self, call: Call) -> Answer:
        """Send one call as soon as a connection is free. Raises ``httpx.TransportError`` if no answer comes."""
        client = await self._idle.get()
        try:
            response = await client.request(**self._fresh.prepared(call))
        finally:
            self._idle.put_nowait(client)
        return self._fresh.noted(call, Answer(response.status_code, response.headers, response.content))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for _number in range(self._concurrency):
            await (await self._idle.get()).aclose()


def _one_connection(base_url: str, timeout_s: float, trusted: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=base_url, timeout=timeout_s, verify=trusted, limits=httpx.Limits(max_connections=1)
    )


def _authorization(api_key: str | None) -> dict[str, str]:
    return {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
