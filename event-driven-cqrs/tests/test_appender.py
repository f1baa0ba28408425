"""Appends in one statement, and the cases in which it appends nothing. docs/cqrs-protocol.md lists the cases."""

import random

import pytest
from cqrs_support.counting import CountingWay
from cqrs_support.replicas import (
    Item,
    Replica,
    assert_log_is_whole,
    end_sessions,
    locked_head,
    opening,
    query,
    replica,
    set_back,
    transfer,
    waits_for_a_lock,
)
from msgspec.structs import replace

from wallet_cqrs.command.statements import APPEND, BEGIN_APPENDING
from wallet_cqrs.domain.batch import Batch
from wallet_cqrs.domain.commands import FreezeWallet, UnfreezeWallet
from wallet_cqrs.domain.submissions import Decided, NotDone
from wallet_cqrs.domain.wallet import initial_state
from wallet_kernel.refusals import Refusal
from wallet_lab.testing import DatabaseUrls

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("count", [1, 1000])
async def test_a_batch_is_one_round_trip(event_store: DatabaseUrls, count: int) -> None:
    """A batch with keys takes one round trip, for one transfer or a thousand."""
    async with (
        CountingWay(event_store.service).open() as way,
        replica(way.url, snapshot_every=10_000) as one,
    ):
        await one.perform_all([opening("alice", 1000), opening("bob")])
        before = way.round_trips
        await one.perform_all([transfer("alice", "bob", 1, f"key-{n}") for n in range(count)])
        assert way.round_trips - before == 1
    assert await assert_log_is_whole(event_store.service) == 2 + 2 * count


async def test_a_locked_batch_is_five_round_trips(event_store: DatabaseUrls) -> None:
    """A batch under the lock takes five round trips: begin, head, earlier decisions, append, commit."""
    async with (
        CountingWay(event_store.service).open() as way,
        replica(way.url, snapshot_every=10_000) as one,
    ):
        await one.perform_all([opening("alice", 1000), opening("bob")])
        resent = replace(transfer("alice", "bob", 1), resent=True)
        await one.perform(resent)  # prepares the statements
        before = way.round_trips
        await one.perform_all([resent, *(transfer("alice", "bob", 1, f"key-{n}") for n in range(100))])
        assert way.round_trips - before == 5


async def test_replica_decides_again_if_another_has_appended(event_store: DatabaseUrls) -> None:
    """If another replica has appended, a batch is not decided on outdated wallets, not even a refusal."""
    async with replica(event_store.service) as one, replica(event_store.service) as two:
        await one.perform_all([opening("alice"), opening("bob", 100)])
        await two.perform(transfer("bob", "alice", 60))
        paid = await one.perform(transfer("alice", "bob", 50))
    assert isinstance(paid, Decided)
    assert (paid.reason, paid.first_position) == (None, 5)
    assert await assert_log_is_whole(event_store.service) == 6


async def test_replica_does_not_append_to_another_epoch_at_the_same_position(
    event_store: DatabaseUrls,
) -> None:
    """If the log was set back and grew to the same head again, a replica drops its wallets before it decides."""
    async with replica(event_store.service) as stale, replica(event_store.service) as other:
        await stale.perform_all([opening("alice", 100), opening("bob")])
        await stale.perform(transfer("alice", "bob", 90))
        await set_back(event_store.owner, 2)
        await other.perform_all([opening("carol"), opening("dave")])
        back = transfer("bob", "alice", 50)
        assert await stale.perform(back) == NotDone()
        decided = await stale.perform(back)
    assert isinstance(decided, Decided)
    assert decided.reason is Refusal.INSUFFICIENT_FUNDS
    assert await assert_log_is_whole(event_store.service) == 4


async def test_replica_does_not_append_to_a_log_of_another_server(event_store: DatabaseUrls) -> None:
    """A log from another server, database or table begins an epoch before a replica appends to it."""
    async with replica(event_store.service) as one:
        await one.perform(opening("alice"))
        known = one.cache.origin
        await query(event_store.owner, "UPDATE log_head SET server = 'another'")
        assert await one.perform(opening("bob")) == NotDone()
        assert isinstance(await one.perform(opening("bob")), Decided)
        assert one.cache.origin != known
    assert await assert_log_is_whole(event_store.service) == 2


async def test_wallets_of_an_ended_session_are_not_appended(event_store: DatabaseUrls) -> None:
    """A batch that was decided on wallets of an ended session is not appended through a new session."""
    async with replica(event_store.service) as one:
        await one.perform(opening("alice"))
        known = one.cache.origin
        assert known is not None
        await end_sessions(event_store.service)
        await one.until_disconnected()
        assert await one.store.head() != (known, 1)  # the same log, and a new session
        batch = Batch({"bob": initial_state("bob")}, 1, (), 500)
        batch.decide(opening("bob"))
        assert await one.store.append(known, batch) is None
    assert await assert_log_is_whole(event_store.service) == 1


async def test_key_of_another_replicas_refusal_is_replayed(event_store: DatabaseUrls) -> None:
    """A refusal does not move the head, so only the unique key makes another replica look up the first decision."""
    async with replica(event_store.service) as one, replica(event_store.service) as two:
        await one.perform_all([opening("alice", 10), opening("bob", 10)])
        refused = await one.perform(transfer("alice", "bob", 99, "key"))
        again, paid = await two.perform_all(
            [transfer("alice", "bob", 99, "key"), transfer("bob", "alice", 1)]
        )
    assert again == refused
    assert isinstance(paid, Decided)
    assert paid.reason is None
    assert await assert_log_is_whole(event_store.service) == 4


async def test_replica_takes_the_lock_first_while_others_append(
    event_store: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a conflict, a replica locks the head first, until two batches in a row had no conflict."""
    monkeypatch.setattr("wallet_cqrs.command.appender.LOCKED_BATCHES", 2)
    async with replica(event_store.service) as one, replica(event_store.service) as two:
        await one.perform_all([opening("alice", 100), opening("bob")])
        sent = statements_of(one)
        firsts = []
        for other_appends in (True, False, True, False, False, False):
            if other_appends:
                await two.perform(transfer("alice", "bob", 1))
            sent.clear()
            await one.perform(transfer("alice", "bob", 1))
            firsts.append(sent[0])
    assert firsts == [APPEND, *[BEGIN_APPENDING] * 4, APPEND]


def statements_of(one: Replica) -> list[str]:
    """Returns a list that gets each later statement of the replica's appending connection."""
    sent: list[str] = []
    assert one.store._primary._connection is not None
    one.store._primary._connection.add_query_logger(lambda record: sent.append(record.query))
    return sent


async def test_time_of_an_append_is_read_after_the_lock(event_store: DatabaseUrls) -> None:
    """The time of an append is not before the end of the previous append, so positions and times have one order."""
    async with replica(event_store.service) as one:
        await one.perform(opening("bob"))
        async with locked_head(event_store.service):
            appending = one.writer.submit(opening("alice"))
            while not await waits_for_a_lock(event_store.service):
                assert not appending.done()
            [(unlocked,)] = await query(event_store.service, "SELECT clock_timestamp()")
        decided = await appending
    assert isinstance(decided, Decided)
    assert decided.at > unlocked


async def test_wallets_in_memory_equal_those_in_the_log(event_store: DatabaseUrls) -> None:
    """After batches of any size, the wallets in memory equal those that another replica loads, times included."""
    chance = random.Random(7)
    names = [f"w{n}" for n in range(5)]
    async with replica(event_store.service, batch_max=7) as one, replica(event_store.service) as two:
        await one.perform_all([opening(name, 20) for name in names])
        for _ in range(10):
            pairs = [chance.sample(names, 2) for _ in range(chance.randint(1, 20))]
            items: list[Item] = [transfer(payer, payee, chance.randint(1, 9)) for payer, payee in pairs]
            name = chance.choice(names)
            items.append(FreezeWallet(name) if chance.random() < 0.5 else UnfreezeWallet(name))
            await one.perform_all(items)
        in_memory = {name: one.cache.wallets[name] for name in names}
        assert in_memory == await two.wallets(names)
    await assert_log_is_whole(event_store.service)
