"""The continuous check of a shard's books: rounds of slices over all wallets, and sums with a bounded cost."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from prometheus_client import REGISTRY

from wallet_kernel.runtime import ledger_metrics
from wallet_kernel.runtime.ledger_metrics import (
    Comparison,
    InTransit,
    LedgerWatch,
    Totals,
    compare_with,
    ledger_watched,
)

pytestmark = pytest.mark.anyio


def metric(name: str, **labels: str) -> float:
    """Returns the value of a metric of this process, or 0 without one."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


class FakeBooks:
    """The books of a shard in memory, with these wallets; the postings do not explain the `wrong` ones."""

    def __init__(self, wallets: str = "", wrong: str = "") -> None:
        self.wallets, self.wrong = wallets, wrong
        self.looks = self.sums = 0
        self.sum_s = 0.0
        self.imbalance = 0

    async def in_transit(self) -> Sequence[InTransit]:
        """Five euro micros; the second look finds no database."""
        self.looks += 1
        if self.looks == 2:
            raise OSError("database away")
        return [InTransit("EUR", 5)]

    async def compare(self, after: str, limit: int) -> Comparison:
        """A slice of the names."""
        found = [name for name in self.wallets if name > after][:limit]
        wrong = [name for name in found if name in self.wrong]
        return Comparison(len(found), found[-1] if found else None, len(wrong), wrong or None)

    async def totals(self) -> Sequence[Totals]:
        """A sum that takes `sum_s` seconds."""
        self.sums += 1
        await asyncio.sleep(self.sum_s)
        return [Totals("EUR", self.imbalance, 5)]


@pytest.fixture(autouse=True)
def _slices_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_metrics, "SLICE_MAX", 2)


async def test_books_are_checked_again_after_an_outage() -> None:
    """After a failed check the metrics keep their last values, and the next check continues."""
    books, began_s = FakeBooks(), time.time()
    books.imbalance = 2
    async with ledger_watched(3, books, 0.01), asyncio.timeout(60):
        while books.looks < 4:  # noqa: ASYNC110 -- the watch has no event for it
            await asyncio.sleep(0.01)
    assert metric("wallet_books_imbalance_micros", shard="3", currency="EUR") == 2
    assert metric("wallet_books_in_transit_micros", shard="3", currency="EUR") == 5
    assert metric("wallet_books_checked_seconds", shard="3") >= began_s


async def test_other_checks_run_although_one_fails() -> None:
    """A failed check does not prevent the other checks."""
    taken = asyncio.Event()

    async def fails() -> None:
        raise OSError("database away")

    async def look() -> None:
        taken.set()

    async with ledger_watched(4, FakeBooks(), 0.01, fails, look), asyncio.timeout(60):
        await taken.wait()


async def test_every_wallet_is_compared_in_rounds() -> None:
    """A difference stays visible until a whole round finds none."""
    books = FakeBooks("abcde", wrong="be")
    books.looks = 2
    watch = LedgerWatch(5, books)
    found = []
    for look in range(9):
        if look == 3:
            books.wrong = ""
        await watch.check()
        found.append(metric("wallet_books_unexplained_wallets", shard="5"))
    assert found == [1, 1, 2, 2, 2, 0, 0, 0, 0]


async def test_pause_between_sums_grows_with_their_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums take at most their share of the time, regardless of the number of wallets."""
    books = FakeBooks()
    books.looks, books.sum_s = 2, 0.05
    watch = LedgerWatch(6, books)
    for _ in range(5):
        await watch.check()
    assert books.sums == 1
    monkeypatch.setattr(ledger_metrics, "SUMMING_SHARE", 1e9)
    watch = LedgerWatch(6, books)
    for _ in range(5):
        await watch.check()
    assert books.sums == 6


def test_comparison_names_the_table_of_postings() -> None:
    """Both architectures use the same statement for the comparison."""
    assert compare_with("ledger").count("FROM ledger") == 2
    assert "{" not in compare_with("ledger")
