"""Counts what a batch costs: the statements on the writer's session, and the calls to Redis."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from saga_support.scene import statements_of

from wallet_kernel.redis_client import open_cache
from wallet_lab.testing import RedisServer, running_redis
from wallet_saga.domain.commands import (
    Command,
    CompleteTransfer,
    CreditWallet,
    DebitWallet,
    Done,
    Ended,
    Flush,
    OpenWallet,
    ReadWallet,
)
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.cache import BalanceCache, Lease
from wallet_saga.worker.statements import LOAD, WRITE
from wallet_saga.worker.store import Store

pytestmark = pytest.mark.anyio

STEPS = 1000


def opened(name: str) -> OpenWallet:
    return OpenWallet(uuid4(), name, STEPS, "USD")


def debit(name: str) -> DebitWallet:
    return DebitWallet(uuid4(), name, "payee", 1, "USD")


def credit(name: str) -> CreditWallet:
    return CreditWallet(uuid4(), "payer", name, 1, "USD")


def local_transfer(payer: str, payee: str) -> DebitWallet:
    return DebitWallet(uuid4(), payer, payee, 1, "USD", is_local=True)


@pytest.mark.parametrize("wallets", [1, STEPS])
async def test_batch_on_known_wallets_costs_one_round_trip(
    writer: BatchWriter, store: Store, wallets: int
) -> None:
    """Debits, credits and completions take one statement a batch, on one wallet and on a thousand wallets."""
    names = [f"w{n}" for n in range(wallets)]
    await writer.perform([opened(name) for name in names])
    debits = [debit(names[n % wallets]) for n in range(STEPS)]
    payments = [credit(names[n % wallets]) for n in range(STEPS)]
    completions = [CompleteTransfer(step.transaction_id, step.from_account) for step in debits]
    sent = statements_of(store)
    for steps in (debits, payments, completions):
        assert await writer.perform(steps) == [Done()] * STEPS
    assert sent == [WRITE] * 3


@pytest.mark.parametrize("wallets", [2, STEPS])
async def test_local_transfers_cost_one_round_trip(writer: BatchWriter, store: Store, wallets: int) -> None:
    """A batch of whole transfers within the shard takes one statement, on two wallets and on a thousand wallets."""
    names = [f"w{n}" for n in range(wallets)]
    await writer.perform([opened(name) for name in names])
    sent = statements_of(store)
    transfers = [local_transfer(names[n % wallets], names[(n + 1) % wallets]) for n in range(STEPS)]
    assert await writer.perform(transfers) == [Ended()] * STEPS
    assert sent == [WRITE]


async def wal_bytes(writer: BatchWriter, store: Store, batches: list[list[Command]]) -> int:
    """Returns the bytes of WAL that these batches write."""
    before = await store._readers.fetchval("SELECT pg_current_wal_insert_lsn()")
    for batch in batches:
        await writer.perform(batch)
    written: int = await store._readers.fetchval("SELECT pg_current_wal_insert_lsn() - $1::pg_lsn", before)
    return written


async def test_local_transfer_writes_two_thirds_of_the_wal(writer: BatchWriter, store: Store) -> None:
    """A local transfer writes at most two thirds of the WAL of debit, credit and completion."""
    names = [f"w{n}" for n in range(STEPS)]
    await writer.perform([opened(name) for name in names])
    pairs = list(zip(names, [*names[1:], names[0]], strict=True))
    figures = []
    for _ in range(2):  # the first round writes whole pages
        debits = [DebitWallet(uuid4(), payer, payee, 1, "USD") for payer, payee in pairs]
        steps: list[list[Command]] = [
            [*debits],
            [CreditWallet(d.transaction_id, d.from_account, d.to_account, 1, "USD") for d in debits],
            [CompleteTransfer(d.transaction_id, d.from_account) for d in debits],
        ]
        transfers: list[Command] = [local_transfer(payer, payee) for payer, payee in pairs]
        figures = [await wal_bytes(writer, store, each) for each in (steps, [transfers])]
    assert 3 * figures[1] <= 2 * figures[0], [each // STEPS for each in figures]


async def test_batch_without_changes_costs_one_round_trip(writer: BatchWriter, store: Store) -> None:
    """Reads, recent duplicates and the empty batches of lookups and of an idle writer take one statement."""
    step = debit("a")
    await writer.perform([opened("a"), step])
    sent = statements_of(store)
    for steps in ([ReadWallet("a")], [step], [Flush()], [ReadWallet("unknown")]):
        await writer.perform(steps)
    assert sent == [LOAD] * 4


class Case(NamedTuple):
    """A batch after the memory was emptied, and the statements that it costs."""

    steps: Callable[[DebitWallet], list[Command]]
    statements: list[str]


FORGOTTEN = {
    "unknown wallet": Case(lambda _: [debit("a")], [LOAD, WRITE]),
    "unknown saga": Case(lambda first: [CompleteTransfer(first.transaction_id, "a")], [LOAD, WRITE]),
    "old duplicate": Case(lambda first: [first, debit("a")], [LOAD, WRITE, LOAD, WRITE]),
}


@pytest.mark.parametrize("case", FORGOTTEN.values(), ids=FORGOTTEN.keys())
async def test_batch_loads_only_what_is_not_in_memory(writer: BatchWriter, store: Store, case: Case) -> None:
    """A batch with unknown wallets or sagas takes two statements. An old duplicate is rejected first."""
    first = debit("a")
    await writer.perform([opened("a"), first])
    store._known.clear()
    sent = statements_of(store)
    await writer.perform(case.steps(first))
    assert sent == case.statements


async def test_flood_of_old_duplicates_costs_two_round_trips_a_batch(
    writer: BatchWriter, store: Store
) -> None:
    """After an old duplicate, batches look before they write. The first batch without duplicates ends this."""
    old = [debit("a") for _ in range(4)]
    await writer.perform([opened("a"), *old])
    store._known.clear()
    await writer.perform([ReadWallet("a")])
    sent = statements_of(store)
    for duplicate in (*old, debit("a"), debit("a")):
        await writer.perform([duplicate, debit("a")])
    assert sent == [WRITE, LOAD, WRITE, *[LOAD, WRITE] * 3, LOAD, WRITE, WRITE]


# Redis.


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis for one test."""
    with running_redis() as running:
        yield running


async def writes_to(redis: "Redis") -> int:
    """Returns the number of the worker's writes that Redis has executed."""
    counts: Any = await redis.info("commandstats")
    return int(counts["cmdstat_evalsha"]["calls"])


async def test_batches_that_only_write_make_no_call_to_redis(store: Store, server: RedisServer) -> None:
    """Ten batches of debits make no call to Redis. After a client has read the wallet, each batch makes one call."""
    async with open_cache(server.url) as redis:
        cache = BalanceCache(redis, lease_s=60.0, timeout_s=5.0)
        cache._up = True
        writer = BatchWriter(store, cache, 1000, 20_000)
        await writer.perform([opened("a")])
        before = await writes_to(redis)
        cache._inherited = Lease(0.0, 0.0)
        cache._leases.clear()
        for _ in range(10):
            await writer.perform([debit("a"), credit("a")])
        assert await writes_to(redis) == before
        await writer.perform([ReadWallet("a")])
        for _ in range(10):
            await writer.perform([debit("a"), credit("a")])
        assert await writes_to(redis) == before + 11
