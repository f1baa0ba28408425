"""Conservation as a metric: each shard's books are checked again and again while the service runs, at a bounded cost.

A shard keeps the other side of every posting in accounts of its own: @external for money from outside, @transit for
money on its way between shards. So its books sum to 0 in every snapshot, and its neighbours need not be asked.

Each look compares the next slice of wallets with their postings. The sum reads every wallet in one snapshot, so the
pause between two sums grows with the time that a sum takes.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from importlib.resources import files
from typing import NamedTuple, NoReturn, Protocol

from prometheus_client import Gauge

from wallet_kernel.tasks import end

IMBALANCE = Gauge(
    "wallet_books_imbalance_micros",
    "What a shard's wallets, @external and @transit sum to; anything but 0 is money made or lost.",
    ["shard", "currency"],
)
IN_TRANSIT = Gauge(
    "wallet_books_in_transit_micros",
    "What a shard's @transit holds; over all shards it is the money in flight.",
    ["shard", "currency"],
)
UNEXPLAINED = Gauge(
    "wallet_books_unexplained_wallets",
    "Wallets whose balance is not what their postings say, as found by the current or the last round.",
    ["shard"],
)
ROUND = Gauge(
    "wallet_books_round_seconds", "How long the last round took that compared every wallet.", ["shard"]
)
SUMMED = Gauge("wallet_books_summed_seconds", "Unix time of the last sum of a shard's books.", ["shard"])
CHECKED = Gauge("wallet_books_checked_seconds", "Unix time of the last look at a shard's books.", ["shard"])

SLICE_MAX = 5_000
"""Wallets that one look compares with their postings."""

SUMMING_SHARE = 0.01
"""The share of the time that sums may take: after a sum of 1 s the next one begins 100 s later."""


def _read(name: str) -> str:
    return (files("wallet_kernel.runtime") / f"{name}.sql").read_text()


TOTALS = _read("totals")
"""Sums up a shard's books, which both architectures keep in tables of the same names; reads every wallet."""

TRANSIT = "SELECT currency, balance_micros FROM system_accounts WHERE name = '@transit'"


def compare_with(postings: str) -> str:
    """The statement that compares wallets with their postings, which are in the table of this name."""
    return _read("compare").replace("{postings}", postings)


_log = logging.getLogger(__name__)


class Totals(NamedTuple):
    """What a shard's books of one currency sum to, and how much of that is on its way."""

    currency: str
    imbalance_micros: int | Decimal
    in_transit_micros: int | Decimal


class InTransit(NamedTuple):
    """What is on its way to or from other shards in one currency."""

    currency: str
    micros: int | Decimal


class Comparison(NamedTuple):
    """A slice of wallets in the order of their names: how many, the last one, how many differ, and ten of these."""

    wallets: int
    last: str | None
    unexplained: int
    examples: Sequence[str] | None


class Books(Protocol):
    """A shard's books, as its store reads them."""

    async def in_transit(self) -> Sequence[InTransit]:
        """What the shard's @transit accounts hold."""

    async def compare(self, after: str, limit: int) -> Comparison:
        """Compares up to `limit` wallets after this name with their postings, in one snapshot."""

    async def totals(self) -> Sequence[Totals]:
        """What the books sum to, in one snapshot; reads every wallet."""


Look = Callable[[], Awaitable[None]]
"""Looks at one thing and sets its metrics."""


@asynccontextmanager
async def books_watched(shard: int, books: Books, interval_s: float, *looks: Look) -> AsyncIterator[None]:
    """Inside, the shard's books are checked every `interval_s` seconds, and these other looks taken."""
    watch = asyncio.create_task(_watch((*looks, BooksWatch(shard, books).look), interval_s))
    try:
        yield
    finally:
        await end(watch)


async def _watch(looks: Sequence[Look], interval_s: float) -> NoReturn:
    while True:
        for look in looks:
            try:
                await look()
            except Exception as error:  # noqa: BLE001 -- the watch outlives every outage; a metric has its age
                _log.warning("books not checked", extra={"cause": repr(error)})
        await asyncio.sleep(interval_s)


class BooksWatch:
    """The continuous check of one shard's books."""

    def __init__(self, shard: int, books: Books) -> None:
        self._shard = str(shard)
        self._books = books
        self._after = ""
        self._round_begin_s = time.monotonic()
        self._unexplained = self._unexplained_before = 0
        self._next_sum_s = 0.0

    async def look(self) -> None:
        """Compares the next slice of wallets, reads what is in transit, and sums up if it is time to."""
        await self._compare_slice()
        for currency, micros in await self._books.in_transit():
            IN_TRANSIT.labels(self._shard, currency).set(float(micros))
        if time.monotonic() >= self._next_sum_s:
            await self._sum_up()
        CHECKED.labels(self._shard).set(time.time())

    async def _compare_slice(self) -> None:
        compared = await self._books.compare(self._after, SLICE_MAX)
        self._unexplained += compared.unexplained
        self._after = compared.last or ""
        if compared.unexplained:
            found = {"shard": self._shard, "wallets": compared.unexplained, "examples": compared.examples}
            _log.error("balances are not what the postings say", extra=found)
        UNEXPLAINED.labels(self._shard).set(max(self._unexplained, self._unexplained_before))
        if compared.wallets < SLICE_MAX:
            self._end_round()

    def _end_round(self) -> None:
        UNEXPLAINED.labels(self._shard).set(self._unexplained)
        ROUND.labels(self._shard).set(time.monotonic() - self._round_begin_s)
        self._after, self._round_begin_s = "", time.monotonic()
        self._unexplained_before, self._unexplained = self._unexplained, 0

    async def _sum_up(self) -> None:
        begin_s = time.monotonic()
        for book in await self._books.totals():
            self._tell(book)
        end_s = time.monotonic()
        self._next_sum_s = end_s + (end_s - begin_s) / SUMMING_SHARE
        SUMMED.labels(self._shard).set(time.time())

    def _tell(self, book: Totals) -> None:
        IMBALANCE.labels(self._shard, book.currency).set(float(book.imbalance_micros))
        if book.imbalance_micros:
            micros = str(book.imbalance_micros)
            _log.error(
                "books do not balance",
                extra={"shard": self._shard, "currency": book.currency, "micros": micros},
            )
