"""Sends hundreds of transfers, and records the answer to each."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar

import httpx

from tests.blackbox.api import Answer, AsyncWalletApi
from tests.blackbox.names import new_key
from tests.blackbox.problems import assert_complete

CONCURRENCY = 50
REQUEST_TIMEOUT_S = 15.0
PAUSE_AFTER_FAILURE_S = 0.2
REFUSALS = {
    "wallet-not-found",
    "wallet-frozen",
    "wallet-closed",
    "currency-mismatch",
    "insufficient-funds",
    "balance-limit",
}
Result = TypeVar("Result")


class Verdict(Enum):
    """The known outcome of a transfer. Open means that the transfer may or may not have happened."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"


@dataclass(frozen=True)
class Order:
    """A transfer to send. Its idempotency key identifies it."""

    payer: str
    payee: str
    amount: Decimal
    key: str = field(default_factory=new_key)


@dataclass
class Record:
    """The answers to one order so far."""

    order: Order
    verdict: Verdict = Verdict.OPEN
    transaction_id: str | None = None
    problem: str | None = None


class Book:
    """Every order with its verdict, and every answer that contradicts the contract or an earlier answer."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.breaches: list[str] = []

    def note(self, order: Order, answer: Answer | None) -> Verdict:
        """Record an answer, or None if there was none. Returns the verdict on the order so far."""
        record = self.records.setdefault(order.key, Record(order))
        if answer is not None:
            self._note_answer(record, answer)
        return record.verdict

    def of(self, verdict: Verdict) -> list[Record]:
        """The records with this verdict."""
        return [record for record in self.records.values() if record.verdict is verdict]

    def _note_answer(self, record: Record, answer: Answer) -> None:
        if answer.status in (201, 202):
            self._note_identity(record, answer)
        if answer.status == 201:
            self._decide(record, Verdict.ACKNOWLEDGED, None, answer)
        elif answer.status == 202:
            self._check(
                answer.headers.get("location") == f"/transfers/{answer.transaction_id}", record, answer
            )
        else:
            self._note_problem(record, answer)

    def _note_problem(self, record: Record, answer: Answer) -> None:
        try:
            assert_complete(answer)
        except (AssertionError, KeyError, ValueError) as error:
            self.breaches.append(f"{record.order}: incomplete problem: {error}")
            return
        if answer.transaction_id is not None:
            self._note_identity(record, answer)
        if answer.problem in REFUSALS:
            self._check(answer.transaction_id is not None, record, answer)
            self._decide(record, Verdict.REFUSED, answer.problem, answer)
        else:
            self._check(answer.status == 503, record, answer)

    def _note_identity(self, record: Record, answer: Answer) -> None:
        # Only decisions must name the same transaction each time, because an unknown outcome may name one
        # that was never stored.
        if record.verdict is not Verdict.OPEN or (
            answer.status in (201, 202) and record.transaction_id is None
        ):
            self._check(record.transaction_id in (None, answer.transaction_id), record, answer)
        if answer.problem != "outcome-unknown":
            record.transaction_id = answer.transaction_id

    def _decide(self, record: Record, verdict: Verdict, problem: str | None, answer: Answer) -> None:
        if record.verdict is Verdict.OPEN:
            record.verdict, record.problem = verdict, problem
        self._check((record.verdict, record.problem) == (verdict, problem), record, answer)

    def _check(self, kept: bool, record: Record, answer: Answer) -> None:
        if not kept:
            self.breaches.append(f"{record} was answered {answer}")


async def answered(sent: Awaitable[Answer]) -> Answer | None:
    """The answer, or None if the connection failed or timed out."""
    try:
        return await sent
    except httpx.TransportError:
        return None


async def place(api: AsyncWalletApi, book: Book, order: Order) -> Answer | None:
    """Send one order and record its answer."""
    answer = await answered(api.transfer(order.payer, order.payee, order.amount, key=order.key))
    book.note(order, answer)
    return answer


async def place_all(api: AsyncWalletApi, book: Book, orders: Iterable[Order]) -> list[Answer | None]:
    """Send all orders at the same time, limited only by the client's concurrency."""
    return list(await asyncio.gather(*(place(api, book, order) for order in orders)))


async def keep_placing(
    api: AsyncWalletApi, book: Book, orders: Iterator[Order], stop: asyncio.Event, clients: int
) -> None:
    """A closed loop: each client sends one order after another until `stop` is set, and pauses after a failure."""

    async def client() -> None:
        while not stop.is_set():
            answer = await place(api, book, next(orders))
            if answer is None or answer.status >= 500:
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)

    await asyncio.gather(*(client() for _ in range(clients)))


async def settle(api: AsyncWalletApi, book: Book, within_s: float) -> None:
    """Retry every open order with its own key until it is decided. Then send these orders once more and compare."""
    asked_again = [record.order for record in book.of(Verdict.OPEN)]
    async with asyncio.timeout(within_s):
        while still_open := book.of(Verdict.OPEN):
            await place_all(api, book, [record.order for record in still_open])
            if book.of(Verdict.OPEN):
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
        await place_all(api, book, asked_again)


def random_orders(accounts: Sequence[str], strangers: Sequence[str], seed: int) -> Iterator[Order]:
    """Endless orders of 0.01 between accounts, every fifth to an unknown account. The seed makes them repeatable."""
    draw = random.Random(seed)
    for number in itertools.count(1):
        payer, payee = draw.sample(accounts, 2)
        yield Order(payer, payee if number % 5 else draw.choice(strangers), Decimal("0.01"))


def run(scenario: Coroutine[Any, Any, Result], within_s: float) -> Result:
    """Run a scenario to its end. Raises ``TimeoutError`` instead of hanging."""

    async def in_time() -> Result:
        async with asyncio.timeout(within_s):
            return await scenario

    return asyncio.run(in_time())


def with_client(
    base_url: str, scenario: Callable[[AsyncWalletApi], Coroutine[Any, Any, Result]], within_s: float
) -> Result:
    """Run a scenario with its own client."""

    async def scene() -> Result:
        async with AsyncWalletApi(base_url, CONCURRENCY, REQUEST_TIMEOUT_S) as api:
            return await scenario(api)

    return run(scene(), within_s)
