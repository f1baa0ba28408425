"""Conservation as a metric: each shard's books are summed up again and again while the service runs.

A shard keeps the other side of every posting in accounts of its own: @external for money from outside, @transit for
money on its way between shards. So its books sum to 0 in every snapshot, and its neighbours need not be asked.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from importlib.resources import files
from typing import NamedTuple, NoReturn

from prometheus_client import Gauge

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
CHECKED = Gauge("wallet_books_checked_seconds", "Unix time of the last look at a shard's books.", ["shard"])

TOTALS = (files("wallet_kernel.runtime") / "totals.sql").read_text()
"""Sums up a shard's books, which both architectures keep in tables of the same names; reads every wallet."""

_log = logging.getLogger(__name__)


class Totals(NamedTuple):
    """What a shard's books of one currency sum to, and how much of that is on its way."""

    currency: str
    imbalance_micros: int | Decimal
    in_transit_micros: int | Decimal


Look = Callable[[], Awaitable[Sequence[Totals]]]
"""Sums up a shard's books in one snapshot."""


@asynccontextmanager
async def books_watched(shard: int, look: Look, interval_s: float) -> AsyncIterator[None]:
    """Inside, the shard's books are looked at every `interval_s` seconds."""
    watch = asyncio.create_task(_watch(str(shard), look, interval_s))
    try:
        yield
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


async def _watch(shard: str, look: Look, interval_s: float) -> NoReturn:
    while True:
        try:
            _tell(shard, await look())
        except Exception as error:  # noqa: BLE001 -- the watch outlives every outage; how old its word is, is told
            _log.warning("books not checked", extra={"shard": shard, "cause": repr(error)})
        await asyncio.sleep(interval_s)


def _tell(shard: str, books: Sequence[Totals]) -> None:
    for currency, imbalance_micros, in_transit_micros in books:
        IMBALANCE.labels(shard, currency).set(float(imbalance_micros))
        IN_TRANSIT.labels(shard, currency).set(float(in_transit_micros))
        if imbalance_micros:
            _log.error(
                "books do not balance",
                extra={"shard": shard, "currency": currency, "micros": str(imbalance_micros)},
            )
    CHECKED.labels(shard).set(time.time())
