"""Loading wallets that are not in memory, in bounded chunks that are kept and make the next load faster."""

import asyncio
from collections.abc import Sequence

import pytest
from cqrs_support.replicas import Replica, assert_log_is_whole, query, replica, transfer
from hypothesis import given
from hypothesis import strategies as st

from wallet_cqrs.command import loading
from wallet_cqrs.command.event_store import Tail
from wallet_cqrs.command.loading import chunks
from wallet_cqrs.command.payments import Payments
from wallet_cqrs.command.responses import no_outcome
from wallet_cqrs.domain.submissions import Decided, NotDone, NotLoaded, Outcome
from wallet_kernel.attempt import NoOutcome
from wallet_kernel.contract.requests import TransferRequest
from wallet_lab.testing import DatabaseUrls

pytestmark = pytest.mark.anyio

WALLETS, EVENTS = 200, 100
NAMES = [f"cold-{n}" for n in range(WALLETS)]


async def seed(event_store: DatabaseUrls, wallets: int = WALLETS, events: int = EVENTS) -> None:
    """Writes wallets without snapshots. Every event except the opening is a deposit of 1 micro."""
    await query(
        event_store.owner,
        f"""WITH made AS (
                INSERT INTO events SELECT (v - 1) * {wallets} + w + 1, 'cold-' || w, v,
                    CASE v WHEN 1 THEN 'WalletOpened' ELSE 'BalanceCredited' END, CASE v WHEN 1 THEN 1 ELSE 2 END,
                    gen_random_uuid(), convert_to(CASE v WHEN 1 THEN '{{"currency":"USD","balance_micros":1000}}'
                    ELSE '{{"amount_micros":1,"kind":"deposit","counterparty":"@external"}}' END, 'UTF8'), now()
                FROM generate_series(0, {wallets} - 1) w, generate_series(1, {events}) v)
            UPDATE log_head SET position = {wallets * events}""",  # noqa: S608 -- numbers of the test's own
    )


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=20), st.integers(1, 30))
def test_chunks_hold_every_event_once_and_are_bounded(
    lengths: list[tuple[int, int]], events_max: int
) -> None:
    """Chunks contain every event once and in order, and never more than the bound."""
    tails = [Tail(f"w{n}", after, after + length) for n, (after, length) in enumerate(lengths)]
    pieces = list(chunks(tails, events_max))
    assert all(sum(t.until - t.after for t in piece) <= events_max for piece in pieces)
    assert all(sum(t.until - t.after for t in piece) == events_max for piece in pieces[:-1])
    read = [(t.account_id, v) for piece in pieces for t in piece for v in range(t.after, t.until)]
    assert read == [(t.account_id, v) for t in tails for v in range(t.after, t.until)]


async def until_decided(one: Replica, pairs: Sequence[tuple[str, str]], rounds_max: int) -> int:
    """Repeats a transfer for each pair until its wallets are loaded; returns the number of rounds."""
    waiting = [transfer(payer, payee, 1) for payer, payee in pairs]
    known = 0
    for number in range(1, rounds_max + 1):
        outcomes: Sequence[Outcome] = await one.perform_all(waiting)
        assert all(isinstance(outcome, Decided | NotLoaded) for outcome in outcomes)
        assert len(one.cache.wallets) > known, "a load kept nothing"
        known = len(one.cache.wallets) - 1
        waiting = [i for i, outcome in zip(waiting, outcomes, strict=True) if isinstance(outcome, NotLoaded)]
        if not waiting:
            return number
    raise AssertionError(f"{len(waiting)} transfers are not decided after {rounds_max} rounds")


@pytest.mark.slow
async def test_cold_start_keeps_what_each_batch_loaded(
    event_store: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a load reaches its time limit, its wallets stay in memory, so that a large cold start ends."""
    monkeypatch.setattr(loading, "EVENTS_MAX", 1000)
    monkeypatch.setattr(loading, "LOAD_TIME_S", 0.0)
    await seed(event_store)
    pairs = list(zip(NAMES[::2], NAMES[1::2], strict=True))
    async with replica(event_store.service) as one:
        assert await until_decided(one, pairs, 40) == WALLETS * EVENTS // 1000
        assert (await one.wallet(NAMES[1])).balance_micros == 1000 + EVENTS - 1 + 1
    await assert_log_is_whole(event_store.service)


@pytest.mark.slow
async def test_load_of_many_events_keeps_a_snapshot(
    event_store: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a load of many events there is a snapshot, so the next replica does not fold them again."""
    monkeypatch.setattr(loading, "EVENTS_MAX", 1000)
    monkeypatch.setattr(loading, "LOAD_TIME_S", 0.0)
    await seed(event_store, wallets=2, events=5000)
    async with replica(event_store.service, snapshot_every=100) as one:
        paid = transfer(NAMES[0], NAMES[1], 1)
        rounds = 0
        while isinstance(outcome := await one.perform(paid), NotLoaded):
            await one.snapshots.drain()
            rounds += 1
            assert rounds < 20, "each load begins at the first event again"
        assert isinstance(outcome, Decided)
        assert 8 <= rounds <= 10
        await one.snapshots.drain()
    before = loading.LOADED._value.get()
    async with replica(event_store.service) as other:
        assert isinstance(await other.perform(transfer(NAMES[1], NAMES[0], 1)), Decided)
    assert loading.LOADED._value.get() - before == 2, "only events after the snapshots"


@pytest.mark.slow
async def test_failed_batch_keeps_the_wallets_in_memory(event_store: DatabaseUrls) -> None:
    """If Postgres rolls back a batch, the wallets stay in memory."""
    await seed(event_store, wallets=2, events=10)
    async with replica(event_store.service) as one:
        assert isinstance(await one.perform(transfer(NAMES[0], NAMES[1], 1)), Decided)
        await query(event_store.owner, "REVOKE INSERT ON events FROM wallet_service")
        assert await one.perform(transfer(NAMES[0], NAMES[1], 1)) == NotDone()
        await query(event_store.owner, "GRANT INSERT ON events TO wallet_service")
        assert set(NAMES[:2]) <= set(one.cache.wallets)
        assert isinstance(await one.perform(transfer(NAMES[0], NAMES[1], 1)), Decided)


@pytest.mark.slow
async def test_command_is_not_taken_before_its_wallets_are_loaded(
    event_store: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the deadline passes during a load, the command is withdrawn and never done."""
    monkeypatch.setattr(loading, "EVENTS_MAX", 10)
    monkeypatch.setattr(loading, "LOAD_TIME_S", 60.0)
    await seed(event_store, wallets=2, events=5000)
    async with replica(event_store.service) as one:
        request = TransferRequest(NAMES[0], NAMES[1], 1, "USD")
        with pytest.raises(NoOutcome) as late:
            await Payments(one.writer, 0.1).transfer(request, None)
        await one.writer.drain()
    assert not late.value.may_be_done
    assert await assert_log_is_whole(event_store.service) == 10_000


@pytest.mark.slow
async def test_deadline_while_loading_is_answered_as_not_done(
    event_store: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the deadline passes during a load, the client learns that nothing was done."""
    monkeypatch.setattr(loading, "EVENTS_MAX", 10)
    monkeypatch.setattr(loading, "LOAD_TIME_S", 0.0)
    await seed(event_store, wallets=2, events=5000)
    async with replica(event_store.service, snapshot_every=10**6) as one:
        request = TransferRequest(NAMES[0], NAMES[1], 1, "USD")
        with pytest.raises(NoOutcome) as late:
            await Payments(one.writer, 1.0).transfer(request, None)
        await asyncio.sleep(0.2)
    assert no_outcome(late.value).name == "overloaded"
    assert await assert_log_is_whole(event_store.service) == 10_000
