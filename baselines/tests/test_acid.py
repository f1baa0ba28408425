"""The use cases of acid and acid-batched on a real Postgres."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from baselines_support.commands import opening, transfer

from wallet_baselines.acid.wallets import AcidWallets
from wallet_baselines.acid_batched.wallets import BatchedWallets
from wallet_baselines.records import MoveMoney
from wallet_baselines.settings import AcidBatchedSettings, AcidSettings
from wallet_baselines.store import BEGIN, ONE_SHARD, commit_or_unknown, load, write
from wallet_kernel.contract.responses import WalletView
from wallet_kernel.database import DATABASE_ERRORS, CommitUnknown
from wallet_lab.testing import DatabaseUrls, PostgresServer

pytestmark = pytest.mark.anyio
PAST = datetime(2026, 1, 1, tzinfo=UTC)
CONNECTIONS = 20
"""More than the connections of a pool of writes."""

SLOW_COMMIT = """
CREATE FUNCTION take_a_second() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON transfers DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION take_a_second();
"""
"""Makes the COMMIT of each transfer take a second."""


@pytest.fixture(params=[AcidWallets, BatchedWallets])
async def wallets(request: pytest.FixtureRequest, settings: AcidSettings) -> AsyncIterator[AcidWallets]:
    """Both baselines on one database, with the wallets `a` (100 micros) and `b` (0)."""
    chosen = AcidBatchedSettings(**settings.model_dump())
    async with request.param(settings.url, ONE_SHARD, chosen) as opened:
        await asyncio.gather(opened.move(opening("a", 100)), opened.move(opening("b")))
        yield opened


@pytest.fixture
async def other_session(database: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    """A session of another replica of the service."""
    connection = await asyncpg.connect(database.service)
    yield connection
    await connection.close()


async def balances(wallets: AcidWallets) -> list[int]:
    """Returns the balances of `a` and `b`."""
    found = [await wallets.balance(name) for name in "ab"]
    return [wallet.balance_micros for wallet in found if wallet]


async def outcome_of(wallets: AcidWallets, command: MoveMoney) -> str:
    """Returns the outcome as a client gets it."""
    try:
        await wallets.move(command)
    except CommitUnknown:
        return "unknown"
    except TimeoutError:
        return "nothing done"
    return "done"


async def test_opposing_transfers_all_succeed(wallets: AcidWallets) -> None:
    """Concurrent transfers in both directions neither deadlock nor lose an update."""
    await wallets.move(transfer("a", "b", 50))
    pairs = [("a", "b"), ("b", "a")] * 30
    outcomes = await asyncio.gather(*(wallets.move(transfer(*pair, 1)) for pair in pairs))
    assert {outcome.transfer.reason for outcome in outcomes} == {None}
    assert await balances(wallets) == [50, 50]
    assert len(await wallets.statement("a", 500, None)) == 62


async def test_same_key_raced_has_one_effect(wallets: AcidWallets) -> None:
    """Concurrent commands with one key get one transfer, also if the payer does not exist and so has no lock."""
    for payer, left in (("a", [95, 5]), ("unknown", [95, 5])):
        outcomes = await asyncio.gather(*(wallets.move(transfer(payer, "b", 5, key="k")) for _ in range(20)))
        assert len({outcome.transfer.transaction_id for outcome in outcomes}) == 1
        assert await balances(wallets) == left


async def test_key_of_another_replica_is_found_after_its_commit(
    wallets: AcidWallets, other_session: asyncpg.Connection
) -> None:
    """A command waits for another replica's open transaction with the same key, and then replays its transfer."""
    first = transfer("a", "b", 5, key="k")
    await other_session.execute(BEGIN)
    batch = await load(other_session, first.accounts, [])
    batch.move(first)
    await write(other_session, batch)
    again = asyncio.create_task(wallets.move(transfer("a", "b", 5, key="k")))
    await asyncio.sleep(0.2)
    assert not again.done()
    await other_session.execute("COMMIT")
    assert (await again).transfer.transaction_id == first.transaction_id
    assert await balances(wallets) == [95, 5]


async def test_unconfirmed_commit_is_unknown(wallets: AcidWallets, postgres: PostgresServer) -> None:
    """If the connection is lost before COMMIT is confirmed, the outcome is unknown, and writes soon succeed again."""
    with pytest.raises(CommitUnknown):
        async with wallets.transaction([]):
            await asyncio.to_thread(postgres.end_sessions)
    for _ in range(CONNECTIONS):  # the pool may not have noticed yet that its other connections are lost
        with contextlib.suppress(*DATABASE_ERRORS):
            assert (await wallets.move(transfer("a", "b", 1))).transfer.reason is None
            return
    pytest.fail("no write succeeded")


async def test_connection_lost_after_the_commit_changes_no_outcome(
    wallets: AcidWallets, settings: AcidSettings, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the database is lost after COMMIT was confirmed, the caller gets the success, and the transfer is stored."""

    async def commit_and_lose_the_database(connection: asyncpg.Connection) -> None:
        await commit_or_unknown(connection)
        postgres.end_sessions()  # blocks the event loop, so the pool has not noticed the loss at the release

    command = transfer("a", "b", 5)
    with monkeypatch.context() as patched:
        patched.setattr("wallet_baselines.store.commit_or_unknown", commit_and_lose_the_database)
        outcome = await wallets.move(command)
    assert (outcome.transfer.transaction_id, outcome.transfer.reason) == (command.transaction_id, None)
    async with AcidWallets(settings.url, ONE_SHARD, settings) as other:
        assert await balances(other) == [95, 5]
        assert await other.transfer(command.transaction_id) is not None


async def test_deadline_during_the_commit_leaves_the_outcome_unknown(
    settings: AcidSettings, database: DatabaseUrls
) -> None:
    """If the deadline passes while COMMIT runs, the outcome is unknown. A later lookup is final."""
    owner = await asyncpg.connect(database.owner)
    await owner.execute(SLOW_COMMIT)
    try:
        chosen = settings.model_copy(update={"deadline_s": 0.3})
        async with AcidWallets(settings.url, ONE_SHARD, chosen) as hasty:
            command = opening("a", 100)
            assert await outcome_of(hasty, command) == "unknown"
        async with AcidWallets(settings.url, ONE_SHARD, settings) as patient:
            found = await patient.transfer(command.transaction_id)
            assert (found is None) == (await patient.balance("a") is None)
    finally:
        await owner.execute("DROP FUNCTION take_a_second CASCADE")
        await owner.close()


async def test_lookup_waits_for_an_open_transaction(
    wallets: AcidWallets, other_session: asyncpg.Connection
) -> None:
    """A lookup says "not found" only after every transaction has ended that may still commit the transfer."""
    late = transfer("a", "b", 5)
    await other_session.execute(BEGIN)
    batch = await load(other_session, late.accounts, [])
    batch.move(late)
    await write(other_session, batch)
    lookup = asyncio.create_task(wallets.transfer(late.transaction_id))
    await asyncio.sleep(0.2)
    assert not lookup.done()
    await other_session.execute("COMMIT")
    found = await lookup
    assert found is not None
    assert found.transfer.transaction_id == late.transaction_id


async def test_past_balance_waits_for_an_open_transaction(
    wallets: AcidWallets, other_session: asyncpg.Connection
) -> None:
    """A past balance never changes afterwards: the read waits for a posting that has chosen its time already."""
    spending = transfer("a", "b", 5)
    await other_session.execute(BEGIN)
    batch = await load(other_session, spending.accounts, [])
    batch.move(spending)
    await write(other_session, batch)
    read = asyncio.create_task(wallets.balance_at("a", batch.now))
    await asyncio.sleep(0.2)
    assert not read.done()
    await other_session.execute("COMMIT")
    now, wallet = await read
    assert now >= batch.now
    assert isinstance(wallet, WalletView)
    assert wallet.balance_micros == 95


async def test_past_balance_shows_the_status_of_that_time(wallets: AcidWallets) -> None:
    """A past balance has the wallet's version, balance and status at that moment."""
    frozen = await wallets.set_status("a", "frozen")
    unfrozen = await wallets.set_status("a", "active")
    assert isinstance(frozen, WalletView)
    assert isinstance(unfrozen, WalletView)
    _, then = await wallets.balance_at("a", unfrozen.updated_at - timedelta(microseconds=1))
    _, last = await wallets.balance_at("a", unfrozen.updated_at)
    assert (then, last) == (frozen, unfrozen)
    assert (await wallets.balance_at("a", PAST))[1] is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wallets SET balance_micros = -1 WHERE account_id = 'a'",
        "UPDATE ledger SET amount_micros = 1",
        "UPDATE transfers SET reason = 'x', refused_by = 'a'",
        "DELETE FROM ledger",
    ],
)
async def test_database_refuses_to_break_the_books(
    acid: AcidWallets, database: DatabaseUrls, statement: str
) -> None:
    """The database refuses negative balances, and changes of the ledger and of decisions, also by the owner."""
    await acid.move(opening("a", 100))
    connection = await asyncpg.connect(database.owner)
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute(statement)
    await connection.close()


async def test_batch_is_one_transaction(settings: AcidSettings, other_session: asyncpg.Connection) -> None:
    """Commands that arrive while a batch runs share the next transaction."""
    chosen = AcidBatchedSettings(**settings.model_dump())
    async with BatchedWallets(settings.url, ONE_SHARD, chosen) as wallets:
        await asyncio.gather(*(wallets.move(opening(f"w{number}", 1)) for number in range(100)))
    transactions = "SELECT count(DISTINCT xmin::text) FROM transfers"
    assert await other_session.fetchval(transactions) <= 2


async def test_command_of_a_stalled_batch_is_not_decided_by_its_deadline(
    settings: AcidSettings, other_session: asyncpg.Connection
) -> None:
    """At the deadline, a command whose batch waits for a lock is neither a success nor a refusal, and has no effect."""
    chosen = AcidBatchedSettings(**settings.model_dump() | {"deadline_s": 0.3})
    async with BatchedWallets(settings.url, ONE_SHARD, chosen) as wallets:
        await asyncio.gather(wallets.move(opening("a", 100)), wallets.move(opening("b")))
        await other_session.execute("BEGIN; SELECT FROM wallets WHERE account_id = 'a' FOR UPDATE")
        stalled = transfer("a", "b", 1)
        with pytest.raises((CommitUnknown, TimeoutError)):
            await wallets.move(stalled)
        await other_session.execute("ROLLBACK")
        assert await wallets.transfer(stalled.transaction_id) is None
        assert await balances(wallets) == [100, 0]
