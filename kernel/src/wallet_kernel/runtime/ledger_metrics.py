"""Conservation of money as a metric: checks each shard's books while the service runs, at a bounded cost.

A shard posts the other side of every entry to its own system accounts: @external for money from outside, @transit for
money that moves between shards. So a shard's books sum to 0 in every snapshot, without its neighbours.

Each check compares the next slice of wallets with their postings. The sum reads every wallet in one snapshot, so the
pause between two sums grows with the time that a sum takes.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import NamedTuple, NoReturn, Protocol

from prometheus_client import Gauge

from wallet_kernel.database import read_statement
from wallet_kernel.tasks import background

IMBALANCE = Gauge(
    "wallet_books_imbalance_micros",
    "Sum of a shard's wallets, @external and @transit. Any value but 0 means that money was created or lost.",
    ["shard", "currency"],
)
IN_TRANSIT = Gauge(
    "wallet_books_in_transit_micros",
    "Balance of a shard's @transit. The sum over all shards is the money in flight.",
    ["shard", "currency"],
)
UNEXPLAINED = Gauge(
    "wallet_books_unexplained_wallets",
    "Wallets whose balance differs from their postings, in the current or the last round.",
    ["shard"],
)
ROUND = Gauge(
    "wallet_books_round_seconds", "Duration of the last round, which compared every wallet.", ["shard"]
)
SUMMED = Gauge("wallet_books_summed_seconds", "Unix time of the last sum of a shard's books.", ["shard"])
CHECKED = Gauge("wallet_books_checked_seconds", "Unix time of the last check of a shard's books.", ["shard"])

SLICE_MAX = 5_000
"""The number of wallets that one check compares with their postings."""

SUMMING_SHARE = 0.01
"""The share of time that sums may take: after a sum of 1 s, the next one begins 100 s later."""


TOTALS = read_statement("wallet_kernel.runtime", "totals")
"""The statement that sums a shard's books. It reads every wallet. Both architectures use the same table names."""

IN_TRANSIT_BALANCES = "SELECT currency, balance_micros FROM system_accounts WHERE name = '@transit'"


def compare_with(postings: str) -> str:
    """Returns the statement that compares wallets with the postings in this table."""
    return read_statement("wallet_kernel.runtime", "compare").replace("{postings}", postings)


_log = logging.getLogger(__name__)


class Totals(NamedTuple):
    """The sum of a shard's books in one currency, and how much of it is in transit."""

    currency: str
    imbalance_micros: int | Decimal
    in_transit_micros: int | Decimal


class InTransit(NamedTuple):
    """The money in transit to or from other shards, in one currency."""

    currency: str
    micros: int | Decimal


class Comparison(NamedTuple):
    """The result for a slice of wallets in name order: their number, the last name, how many differ, ten examples."""

    wallets: int
    last: str | None
    unexplained: int
    examples: Sequence[str] | None


class Ledger(Protocol):
    """The queries that a shard's store provides for the watch."""

    async def in_transit(self) -> Sequence[InTransit]:
        """Returns the balances of the shard's @transit accounts."""

    async def compare(self, after: str, limit: int) -> Comparison:
        """Compares up to `limit` wallets after this name with their postings, in one snapshot."""

    async def totals(self) -> Sequence[Totals]:
        """Returns the sums of the books, in one snapshot. Reads every wallet."""


LedgerCheck = Callable[[], Awaitable[None]]
"""Checks one thing and sets its metrics."""


def ledger_watched(
    shard: int, ledger: Ledger, interval_s: float, *checks: LedgerCheck
) -> AbstractAsyncContextManager[None]:
    """Checks the shard's books every `interval_s` seconds while the body runs, and runs the other checks."""
    return background(_watch((*checks, LedgerWatch(shard, ledger).check), interval_s))


async def _watch(checks: Sequence[LedgerCheck], interval_s: float) -> NoReturn:
    while True:
        for check in checks:
            try:
                await check()
            except Exception as error:  # noqa: BLE001 -- the watch must survive every outage; a metric shows its age
                _log.warning("books not checked", extra={"cause": repr(error)})
        await asyncio.sleep(interval_s)


class LedgerWatch:
    """Checks one shard's books repeatedly."""

    def __init__(self, shard: int, ledger: Ledger) -> None:
        self._shard = str(shard)
        self._ledger = ledger
        self._after = ""
        self._round_begin_s = time.monotonic()
        self._unexplained = self._unexplained_before = 0
        self._next_sum_s = 0.0

    async def check(self) -> None:
        """Compares the next slice of wallets, reads the money in transit, and sums the books if a sum is due."""
        await self._compare_slice()
        for currency, micros in await self._ledger.in_transit():
            IN_TRANSIT.labels(self._shard, currency).set(float(micros))
        if time.monotonic() >= self._next_sum_s:
            await self._sum_up()
        CHECKED.labels(self._shard).set(time.time())

    async def _compare_slice(self) -> None:
        compared = await self._ledger.compare(self._after, SLICE_MAX)
        self._unexplained += compared.unexplained
        self._after = compared.last or ""
        if compared.unexplained:
            found = {"shard": self._shard, "wallets": compared.unexplained, "examples": compared.examples}
            _log.error("balances differ from their postings", extra=found)
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
        for book in await self._ledger.totals():
            self._report(book)
        end_s = time.monotonic()
        self._next_sum_s = end_s + (end_s - begin_s) / SUMMING_SHARE
        SUMMED.labels(self._shard).set(time.time())

    def _report(self, book: Totals) -> None:
        IMBALANCE.labels(self._shard, book.currency).set(float(book.imbalance_micros))
        if book.imbalance_micros:
            micros = str(book.imbalance_micros)
            _log.error(
                "books do not balance",
                extra={"shard": self._shard, "currency": book.currency, "micros": micros},
            )
