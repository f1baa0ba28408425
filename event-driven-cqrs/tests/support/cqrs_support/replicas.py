"""A command replica without HTTP, on a real event store."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from cqrs_support.waiting import until
from wallet_cqrs.command.batch_writer import BatchWriter
from wallet_cqrs.command.event_store import EventStore
from wallet_cqrs.command.snapshots import SnapshotWriter
from wallet_cqrs.command.wallet_cache import WalletCache, fold
from wallet_cqrs.domain.commands import OpenWallet, TransferMoney
from wallet_cqrs.domain.submissions import MoneyCommand, Outcome, StatusCommand, Submission, owner_of
from wallet_cqrs.domain.wallet import Wallet
from wallet_kernel.idempotency import fingerprint
from wallet_kernel.ids import new_transaction_id

Item = Submission | StatusCommand


@dataclass
class Replica:
    """The core of a command service."""

    store: EventStore
    cache: WalletCache
    snapshots: SnapshotWriter
    writer: BatchWriter

    async def perform(self, item: Item) -> Outcome:
        """Performs one command, and returns its outcome."""
        return await self.writer.submit(item)

    async def perform_all(self, items: Iterable[Item]) -> Sequence[Outcome]:
        """Submits commands at the same time in this order, and returns their outcomes."""
        return await asyncio.gather(*[self.writer.submit(item) for item in items])

    async def until_disconnected(self) -> None:
        """Waits until the replica has noticed the end of its database session."""
        await until(lambda: not self.store.continues(self.cache.origin), 10, "session ended")

    async def wallet(self, account_id: str) -> Wallet:
        """Loads a wallet from the event store."""
        return (await self.wallets([account_id]))[account_id]

    async def wallets(self, accounts: Sequence[str]) -> dict[str, Wallet]:
        """Loads wallets from the event store."""
        wallets, tails = await self.store.streams(accounts)
        for event in await self.store.events(tails) if tails else ():
            wallets[event.stream_id] = fold(wallets[event.stream_id], event)
        return wallets


@asynccontextmanager
async def replica(
    url: str,
    *,
    batch_max: int = 1000,
    queue_max: int = 100_000,
    wallets_max: int = 1000,
    snapshot_every: int = 500,
) -> AsyncIterator[Replica]:
    """Opens a replica on this event store with the service's role."""
    async with EventStore(url) as store:
        cache, snapshots = WalletCache(wallets_max), SnapshotWriter(store, snapshot_every)
        writer = BatchWriter(store, cache, snapshots, batch_max=batch_max, queue_max=queue_max)
        yield Replica(store, cache, snapshots, writer)
        await writer.drain()
        await snapshots.drain()


def submission(command: MoneyCommand, key: str | None = None) -> Submission:
    """Returns a command as a use case submits it, with a new transaction id."""
    meaning = fingerprint(key, repr(command))
    return Submission(command, new_transaction_id(owner_of(command)), key, meaning)


def opening(account_id: str, micros: int = 0) -> Submission:
    """Returns the opening of a wallet in USD."""
    return submission(OpenWallet(account_id, micros, "USD"))


def transfer(payer: str, payee: str, micros: int, key: str | None = None) -> Submission:
    """Returns a transfer in USD."""
    return submission(TransferMoney(payer, payee, micros, "USD"), key)


async def query(url: str, sql: str, *arguments: Any) -> list[Any]:
    """Runs a query and returns its rows."""
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(sql, *arguments))
    finally:
        await connection.close()


@asynccontextmanager
async def locked_head(url: str) -> AsyncIterator[None]:
    """Locks the head of the log while the context is open."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM log_head FOR UPDATE")
            yield
    finally:
        await connection.close()


async def waits_for_a_lock(url: str, sessions: int = 1) -> bool:
    """Returns whether so many sessions of this database wait for a lock."""
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return len(await query(url, waiting)) >= sessions


async def end_sessions(url: str) -> None:
    """Ends the sessions of all replicas in this database."""
    await query(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wallet-command'"
        " AND datname = current_database()",
    )


async def set_back(owner_url: str, position: int) -> None:
    """Restores the event store to this position, as from a backup."""
    for sql in (
        "ALTER TABLE events DISABLE TRIGGER events_are_immutable",
        "ALTER TABLE decisions DISABLE TRIGGER decisions_are_immutable",
        f"DELETE FROM events WHERE position > {position:d}",  # noqa: S608 -- a number of the test's own
        f"DELETE FROM decisions WHERE last_position > {position:d}",  # noqa: S608
        f"UPDATE log_head SET position = {position:d}",  # noqa: S608
        "ALTER TABLE events ENABLE TRIGGER events_are_immutable",
        "ALTER TABLE decisions ENABLE TRIGGER decisions_are_immutable",
    ):
        await query(owner_url, sql)


async def assert_log_is_whole(url: str) -> int:
    """Asserts that positions and versions have no gaps and decisions have their events; returns the head."""
    (head,) = (await query(url, "SELECT position FROM log_head"))[0]
    (events, last) = (await query(url, "SELECT count(*), coalesce(max(position), 0) FROM events"))[0]
    assert (events, last) == (head, head)
    broken = await query(
        url, "SELECT stream_id FROM events GROUP BY 1 HAVING count(*) <> max(version) OR min(version) <> 1"
    )
    assert not broken
    odd = await query(
        url,
        """SELECT d.transaction_id FROM decisions d LEFT JOIN events e USING (transaction_id)
           GROUP BY 1 HAVING count(e.position) <> CASE WHEN max(d.reason) IS NOT NULL THEN 0
                                                       WHEN max(d.kind) = 'transfer' THEN 2 ELSE 1 END
           OR min(e.position) <> max(d.first_position) OR max(e.position) <> max(d.last_position)""",
    )
    assert not odd
    return int(head)
