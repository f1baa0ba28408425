"""Batches on a real event store: decisions, idempotency, and several replicas."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest
from cqrs_support.model import Model, commands
from cqrs_support.replicas import (
    Item,
    Replica,
    assert_log_is_whole,
    end_sessions,
    opening,
    query,
    replica,
    set_back,
    submission,
    transfer,
    waits_for_a_lock,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from wallet_cqrs.command.appender import CAUGHT_UP
from wallet_cqrs.command.event_store import EventStore
from wallet_cqrs.command.payments import Payments
from wallet_cqrs.command.wallet_cache import StreamEvent
from wallet_cqrs.domain.commands import (
    CloseWallet,
    Command,
    Deposit,
    FreezeWallet,
    OpenWallet,
    TransferMoney,
    UnfreezeWallet,
)
from wallet_cqrs.domain.decisions import Refused
from wallet_cqrs.domain.submissions import Decided, KeyReused, NotDone, Outcome, StatusChanged, Submission
from wallet_kernel.attempt import NoOutcome
from wallet_kernel.batcher import PAUSE_MAX_S
from wallet_kernel.contract.requests import TransferRequest
from wallet_kernel.refusals import Refusal
from wallet_lab.testing import DatabaseUrls

pytestmark = pytest.mark.anyio


async def test_a_transfer_is_two_events_and_one_decision(event_store: DatabaseUrls) -> None:
    """A transfer's events have its transaction id and consecutive positions, and its decision names them."""
    async with replica(event_store.service) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        decided = await one.perform(paid := transfer("alice", "bob", 40))
    assert isinstance(decided, Decided)
    assert (decided.first_position, decided.last_position, decided.reason) == (3, 4, None)
    events = await query(
        event_store.service,
        "SELECT stream_id, version, type FROM events WHERE transaction_id = $1 ORDER BY position",
        paid.transaction_id,
    )
    assert [tuple(row) for row in events] == [("alice", 2, "BalanceDebited"), ("bob", 2, "BalanceCredited")]
    await assert_log_is_whole(event_store.service)


async def test_command_service_pauses_after_a_batch(
    event_store: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command service pauses after a batch, with the limit for items that clients wait for."""
    pauses = list[tuple[int, float]]()

    def record(items: int, max_s: float) -> float:
        pauses.append((items, max_s))
        return 0.0

    monkeypatch.setattr("wallet_kernel.batcher.pause_after", record)
    async with replica(event_store.service) as one:
        await one.perform(opening("alice"))
    assert pauses == [(1, PAUSE_MAX_S)]


async def test_refusal_is_stored_and_appends_no_event(event_store: DatabaseUrls) -> None:
    """A refusal is stored with its reason, wallet and the log's head, and appends no event."""
    async with replica(event_store.service) as one:
        await one.perform_all([opening("alice", 10)])
        refused = await one.perform(transfer("alice", "nobody", 5))
    assert isinstance(refused, Decided)
    assert (refused.reason, refused.refused_by) == (Refusal.WALLET_NOT_FOUND, "nobody")
    assert (refused.first_position, refused.last_position) == (None, 1)
    assert await assert_log_is_whole(event_store.service) == 1
    (row,) = await query(event_store.service, "SELECT * FROM decisions WHERE reason IS NOT NULL")
    assert (row["transaction_id"], row["refused_by"]) == (refused.transaction_id, "nobody")


@pytest.mark.parametrize("same_batch", [True, False])
@pytest.mark.parametrize("restart", [True, False])
async def test_repeated_key_gets_the_first_decision_of_any_replica(
    event_store: DatabaseUrls, same_batch: bool, restart: bool
) -> None:
    """Any replica answers a repeated key with the first decision, success or refusal, in any batch."""
    first = [transfer("alice", "bob", 40, "key-1"), transfer("alice", "bob", 999, "key-2")]
    again = [transfer("alice", "bob", 40, "key-1"), transfer("alice", "bob", 999, "key-2")]
    other = transfer("alice", "bob", 41, "key-1")
    async with replica(event_store.service) as one, replica(event_store.service) as two:
        await one.perform_all([opening("alice", 100), opening("bob")])
        if same_batch:
            outcomes = await one.perform_all([*first, *again, other])
        else:
            outcomes = [*await one.perform_all(first)]
            outcomes += await (two if restart else one).perform_all([*again, other])
    assert outcomes[2:4] == outcomes[:2]
    assert outcomes[4] == KeyReused()
    assert isinstance(outcomes[1], Decided)
    assert outcomes[1].reason is Refusal.INSUFFICIENT_FUNDS
    assert await assert_log_is_whole(event_store.service) == 4


async def test_keys_belong_to_the_paying_wallet(event_store: DatabaseUrls) -> None:
    """Two payers may use the same key. The key of a deposit belongs to the receiving wallet."""
    async with replica(event_store.service) as one:
        await one.perform_all([opening("alice", 100), opening("bob", 100)])
        outcomes = await one.perform_all([transfer("alice", "bob", 1, "k"), transfer("bob", "alice", 2, "k")])
        reused = await one.perform(submission(Deposit("alice", 1, "USD"), "k"))
    assert all(isinstance(outcome, Decided) and outcome.reason is None for outcome in outcomes)
    assert reused == KeyReused()


async def test_resent_command_gets_its_first_decision(event_store: DatabaseUrls) -> None:
    """A resent submission gets its first decision, from the log or from the same batch."""
    async with replica(event_store.service) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        paid = transfer("alice", "bob", 40)
        first = await one.perform(paid)
        again = await one.perform_all([replace(paid, resent=True), replace(paid, resent=True)])
    assert list(again) == [first, first]
    assert await assert_log_is_whole(event_store.service) == 4


async def test_unchanged_status_appends_no_event(event_store: DatabaseUrls) -> None:
    """If the wallet already has the status, nothing is appended, and the outcome has the wallet and the head."""
    async with replica(event_store.service) as one:
        await one.perform(opening("alice"))
        outcomes = await one.perform_all(
            [
                UnfreezeWallet("alice"),
                FreezeWallet("alice"),
                FreezeWallet("alice"),
                CloseWallet("alice"),
                CloseWallet("alice"),
                FreezeWallet("alice"),
                FreezeWallet("nobody"),
            ]
        )
    assert [(o.wallet.version, o.position) for o in outcomes if isinstance(o, StatusChanged)] == [
        (1, 1),
        (2, 2),
        (2, 2),
        (3, 3),
        (3, 3),
    ]
    assert outcomes[5:] == [
        Refused(Refusal.WALLET_CLOSED, "alice"),
        Refused(Refusal.WALLET_NOT_FOUND, "nobody"),
    ]
    await assert_log_is_whole(event_store.service)


def outcome_name(outcome: Outcome) -> str:
    """Returns an outcome in the model's terms."""
    if isinstance(outcome, Decided):
        return f"{outcome.reason} {outcome.refused_by}" if outcome.reason else "done"
    if isinstance(outcome, Refused):
        return f"{outcome.reason} {outcome.account_id}"
    assert isinstance(outcome, StatusChanged)
    return "done"


def renamed(command: Command, suffix: str) -> Command:
    """Returns the same command on wallets with names of this run."""
    names = {m: v + suffix for m, v in asdict(command).items() if m.endswith("account") or m == "account_id"}
    return replace(command, **names)


def item(command: Command) -> Item:
    """Returns the command in the form in which it is submitted."""
    if isinstance(command, TransferMoney | OpenWallet | Deposit) or hasattr(command, "currency"):
        return submission(command)  # type: ignore[arg-type] # commands with a currency move money
    return command  # type: ignore[return-value] # and the rest are status commands


_runs = itertools.count()


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(commands, st.booleans()), min_size=1, max_size=60),
    st.sampled_from([1, 2, 7, 1000]),
    st.integers(1, 3),
    st.integers(1, 7),
)
def test_batches_follow_the_model(
    event_store: DatabaseUrls,
    drawn: list[tuple[Command, bool]],
    batch_max: int,
    replicas: int,
    snapshot_every: int,
) -> None:
    """With any batch size, replica, retries and snapshot interval, outcomes and wallets equal the model's."""
    suffix = f"-{next(_runs)}"
    asyncio.run(
        _assert_does_as_the_model(event_store.service, suffix, drawn, batch_max, replicas, snapshot_every)
    )


async def _assert_does_as_the_model(
    url: str,
    suffix: str,
    drawn: list[tuple[Command, bool]],
    batch_max: int,
    replicas: int,
    snapshot_every: int,
) -> None:
    model, items, expected = Model(), list[Item](), list[str]()
    for command, repeated in drawn:
        given_command = renamed(command, suffix)
        items.append(item(given_command))
        expected.append(model.do(given_command))
        if repeated and isinstance(last := items[-1], Submission):
            items.append(replace(last, resent=True))
            expected.append(expected[-1])
    async with AsyncExitStack() as stack:
        all_replicas = [
            await stack.enter_async_context(
                replica(url, batch_max=batch_max, wallets_max=3, snapshot_every=snapshot_every)
            )
            for _ in range(replicas)
        ]
        outcomes = await _in_pieces(all_replicas, items)
        assert list(map(outcome_name, outcomes)) == expected
        for account, balance in model.balance.items():
            wallet = await all_replicas[0].wallet(account)
            assert (wallet.balance_micros, wallet.version) == (balance, model.version[account])
    await assert_log_is_whole(url)


async def _in_pieces(replicas: Sequence[Replica], items: Sequence[Item]) -> list[Outcome]:
    """Performs the items in order, in pieces on alternating replicas."""
    outcomes: list[Outcome] = []
    size = max(1, len(items) // (2 * len(replicas)))
    for number, start in enumerate(range(0, len(items), size)):
        outcomes += await replicas[number % len(replicas)].perform_all(items[start : start + size])
    return outcomes


@pytest.mark.parametrize("batch_max", [1, 3, 100, 1000])
async def test_a_hot_wallet_is_decided_in_order_within_a_batch(
    event_store: DatabaseUrls, batch_max: int
) -> None:
    """If a wallet has money for half of a thousand transfers, the first half succeeds at any batch size."""
    async with replica(event_store.service, batch_max=batch_max) as one:
        await one.perform_all([opening("hot", 500), opening("bob")])
        outcomes = await one.perform_all([transfer("hot", "bob", 1) for _ in range(1000)])
        wallet = await one.wallet("hot")
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, Decided)]
    assert reasons == [None] * 500 + [Refusal.INSUFFICIENT_FUNDS] * 500
    assert (wallet.balance_micros, wallet.version) == (0, 501)
    assert await assert_log_is_whole(event_store.service) == 1002


async def test_append_waits_until_the_append_before_has_committed(event_store: DatabaseUrls) -> None:
    """Only one replica at a time holds the log's head, from before its first read until its commit."""

    async def take_a_turn(store: EventStore) -> None:
        async with store.transaction():
            pass

    async with replica(event_store.service) as one, replica(event_store.service) as two:
        async with one.store.transaction():
            waiting = asyncio.create_task(take_a_turn(two.store))
            while not waiting.done() and not await waits_for_a_lock(event_store.service):
                pass
            assert not waiting.done()
        waiting.cancel()


@pytest.mark.parametrize("count", [2, 3])
async def test_replicas_on_one_hot_wallet_lose_no_transfer(event_store: DatabaseUrls, count: int) -> None:
    """If replicas transfer between the same two wallets, all transfers succeed and none is lost."""
    each = 400
    async with AsyncExitStack() as stack:
        all_replicas = [
            await stack.enter_async_context(replica(event_store.service, batch_max=20)) for _ in range(count)
        ]
        await all_replicas[0].perform_all([opening("hot", each), opening("cold", each)])
        pairs = [("hot", "cold"), ("cold", "hot")]
        works = [
            one.perform_all([transfer(*pairs[(n + number) % 2], 1) for n in range(each)])
            for number, one in enumerate(all_replicas)
        ]
        outcomes = [outcome for work in await asyncio.gather(*works) for outcome in work]
        hot, cold = await all_replicas[0].wallet("hot"), await all_replicas[0].wallet("cold")
    assert all(isinstance(outcome, Decided) and outcome.reason is None for outcome in outcomes)
    assert hot.balance_micros + cold.balance_micros == 2 * each
    assert hot.version == cold.version == 1 + count * each
    assert await assert_log_is_whole(event_store.service) == 2 + 2 * count * each


async def test_racing_replicas_never_overdraw(event_store: DatabaseUrls) -> None:
    """If two replicas spend the same balance, exactly the balance is spent."""
    async with (
        replica(event_store.service, batch_max=5) as one,
        replica(event_store.service, batch_max=5) as two,
    ):
        await one.perform_all([opening("hot", 100), opening("bob")])
        works = [each.perform_all([transfer("hot", "bob", 1) for _ in range(100)]) for each in (one, two)]
        outcomes = [outcome for work in await asyncio.gather(*works) for outcome in work]
        hot = await one.wallet("hot")
    assert sum(isinstance(outcome, Decided) and outcome.reason is None for outcome in outcomes) == 100
    assert hot.balance_micros == 0


async def test_the_same_key_at_two_replicas_is_one_transfer(event_store: DatabaseUrls) -> None:
    """The same key at two replicas is one transfer, because keys are unique and looked up under the lock."""
    async with replica(event_store.service) as one, replica(event_store.service) as two:
        await one.perform_all([opening("alice", 100), opening("bob")])
        for number in range(20):
            key = f"key-{number}"
            outcomes = await asyncio.gather(
                one.perform(transfer("alice", "bob", 1, key)), two.perform(transfer("alice", "bob", 1, key))
            )
            assert outcomes[0] == outcomes[1]
    assert await assert_log_is_whole(event_store.service) == 2 + 2 * 20


async def test_replica_far_behind_clears_its_cache(
    event_store: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica far behind clears its cache instead of blocking others, and a retried command is done once."""
    monkeypatch.setattr("wallet_cqrs.command.appender.CATCH_UP_MAX", 10)
    async with replica(event_store.service) as busy, replica(event_store.service) as idle:
        await idle.perform_all([opening("alice", 100), opening("bob")])
        await busy.perform_all([transfer("alice", "bob", 1) for _ in range(50)])
        before = CAUGHT_UP._value.get()
        last = transfer("alice", "bob", 50)
        assert await idle.perform(last) == NotDone()
        decided = await idle.perform(last)
        assert CAUGHT_UP._value.get() == before
        refused = await idle.perform(transfer("alice", "bob", 1))
    assert isinstance(decided, Decided)
    assert decided.reason is None
    assert isinstance(refused, Decided)
    assert refused.reason is Refusal.INSUFFICIENT_FUNDS


async def test_lagging_replica_catches_up_before_it_takes_the_lock(
    event_store: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others can append while a lagging replica catches up, and the replica decides on all their events."""
    monkeypatch.setattr("wallet_cqrs.command.appender.CATCH_UP_LOCKED_MAX", 10)
    appended = EventStore.appended
    async with replica(event_store.service) as busy, replica(event_store.service) as idle:

        async def while_another_appends(store: EventStore, after: int, until: int) -> list[StreamEvent]:
            async with asyncio.timeout(20):
                await busy.perform(transfer("alice", "bob", 1))
            return await appended(store, after, until)

        await idle.perform_all([opening("alice", 100), opening("bob")])
        await busy.perform_all([transfer("alice", "bob", 1) for _ in range(50)])
        monkeypatch.setattr(EventStore, "appended", while_another_appends)
        before = CAUGHT_UP._value.get()
        refused = await idle.perform(transfer("alice", "bob", 50))
        assert CAUGHT_UP._value.get() - before == 2
        paid = await idle.perform(transfer("alice", "bob", 49))
    assert isinstance(refused, Decided)
    assert refused.reason is Refusal.INSUFFICIENT_FUNDS
    assert isinstance(paid, Decided)
    assert paid.reason is None


async def test_outage_of_the_event_store_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """During an outage of the event store, the log has one line, however many commands fail."""
    async with replica("postgresql://nobody@127.0.0.1:1/none", batch_max=10) as one:
        outcomes = await one.perform_all([transfer("alice", "bob", 1) for _ in range(100)])
        with pytest.raises(NoOutcome):
            await Payments(one.writer, 0.5).transfer(TransferRequest("alice", "bob", 1, "USD"), None)
    assert outcomes == [NotDone()] * 100
    lines = [record for record in caplog.records if record.name.startswith("wallet_cqrs")]
    assert [record.getMessage() for record in lines] == ["dependency lost"]
    assert not lines[0].exc_info


async def test_replica_drops_its_cache_if_the_log_was_set_back(event_store: DatabaseUrls) -> None:
    """If the log is set back without a new epoch, a replica decides on the log, not on its cache."""
    async with replica(event_store.service) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        await one.perform(transfer("alice", "bob", 40))
        await query(event_store.owner, "ALTER TABLE log_head DISABLE TRIGGER USER")
        await set_back(event_store.owner, 2)
        paid = transfer("alice", "bob", 100)
        assert await one.perform(paid) == NotDone()
        decided = await one.perform(paid)
        assert isinstance(decided, Decided)
        assert (decided.reason, decided.first_position) == (None, 3)
        assert (await one.wallet("bob")).balance_micros == 100
    assert await assert_log_is_whole(event_store.service) == 4


async def test_replica_drops_its_cache_if_the_log_was_set_back_and_grew_again(
    event_store: DatabaseUrls,
) -> None:
    """If the log was set back and grew again, a replica drops its wallets, because they have another epoch."""
    async with replica(event_store.service) as stale, replica(event_store.service) as other:
        await stale.perform_all([opening("alice", 100), opening("bob")])
        await stale.perform(transfer("alice", "bob", 90))
        await set_back(event_store.owner, 2)
        await other.perform_all([opening(f"other-{n}") for n in range(4)])
        back = transfer("bob", "alice", 50)
        assert await stale.perform(back) == NotDone()
        decided = await stale.perform(back)
    assert isinstance(decided, Decided)
    assert decided.reason is Refusal.INSUFFICIENT_FUNDS
    assert await assert_log_is_whole(event_store.service) == 6


async def test_replica_drops_its_cache_with_its_connection(event_store: DatabaseUrls) -> None:
    """A new connection clears the cache, because it may lead to a server with an older log."""
    async with replica(event_store.service) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        known = one.cache.origin
        await end_sessions(event_store.service)
        await one.until_disconnected()
        decided = await one.perform(transfer("alice", "bob", 1))
        assert one.cache.origin != known
    assert isinstance(decided, Decided)
    assert decided.reason is None


async def test_a_snapshot_of_a_lost_event_is_not_read(event_store: DatabaseUrls) -> None:
    """A snapshot of a lost event is ignored, because it would bring back lost money."""
    async with replica(event_store.service, snapshot_every=2) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        await one.perform(transfer("alice", "bob", 90))
        await one.snapshots.drain()
        await set_back(event_store.owner, 2)
        assert (await one.wallet("bob")).balance_micros == 0


async def test_a_snapshot_of_a_lost_event_is_not_written(event_store: DatabaseUrls) -> None:
    """If the log lost an event before its snapshot is written, the snapshot is not written."""
    async with replica(event_store.service) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        await one.perform(transfer("alice", "bob", 90))
        late = await one.wallet("bob")
        await set_back(event_store.owner, 2)
        await one.store.add_snapshots([late, await one.wallet("alice")])
    rows = await query(event_store.service, "SELECT stream_id, version FROM snapshots")
    assert [tuple(row) for row in rows] == [("alice", 1)]


async def test_command_rejected_by_the_store_fails_alone(event_store: DatabaseUrls) -> None:
    """If the store rejects a command, bisection isolates it, and the rest of the batch is done."""
    broken = replace(transfer("payer-0", "payee-0", 1), key="no text\0")
    async with replica(event_store.service) as one:
        await one.perform_all([opening(f"payer-{n}", 5) for n in range(20)])
        await one.perform_all([opening(f"payee-{n}") for n in range(20)])
        items = [transfer(f"payer-{n}", f"payee-{n}", 1) for n in range(20)]
        outcomes = await one.perform_all([*items[:7], broken, *items[7:]])
        payees = await one.wallets([f"payee-{n}" for n in range(20)])
    assert [number for number, outcome in enumerate(outcomes) if not isinstance(outcome, Decided)] == [7]
    assert outcomes[7] == NotDone()
    assert [wallet.balance_micros for wallet in payees.values()] == [1] * 20
    await assert_log_is_whole(event_store.service)


async def test_damaged_event_fails_only_commands_of_its_wallet(event_store: DatabaseUrls) -> None:
    """A damaged event fails commands on its wallet with a logged error, and no others."""
    await query(
        event_store.owner,
        """WITH moved AS (UPDATE log_head SET position = 1)
           INSERT INTO events VALUES (1, 'damaged', 1, 'WalletStolen', 1, NULL, '{}', now())""",
    )
    async with replica(event_store.service) as one:
        outcomes = await one.perform_all([opening("alice", 5), opening("bob"), transfer("damaged", "bob", 1)])
        paid = await one.perform(transfer("alice", "bob", 5))
    assert [type(outcome) for outcome in outcomes] == [Decided, Decided, NotDone]
    assert isinstance(paid, Decided)


async def test_damaged_snapshot_is_replaced_by_the_events(event_store: DatabaseUrls) -> None:
    """If a snapshot is damaged, the wallet is loaded from all its events, and other commands are not affected."""
    async with replica(event_store.service, snapshot_every=2) as one:
        await one.perform_all([opening("alice", 5), opening("bob")])
        await one.perform_all([transfer("alice", "bob", 1) for _ in range(2)])
    await query(event_store.owner, "UPDATE snapshots SET state = 'damaged'")
    items = [transfer("alice", "bob", 3), transfer("alice", "bob", 1), opening("carol", 5)]
    async with replica(event_store.service) as other:
        outcomes = await asyncio.gather(*map(other.perform, items), return_exceptions=True)
    assert [getattr(outcome, "reason", outcome) for outcome in outcomes] == [
        None,
        Refusal.INSUFFICIENT_FUNDS,
        None,
    ]


async def test_time_never_runs_backwards_within_a_wallet(event_store: DatabaseUrls) -> None:
    """If the clock was set back, a wallet's next event has the time of the previous one."""
    async with replica(event_store.service) as one:
        await one.perform(opening("alice", 5))
    await query(
        event_store.owner,
        """WITH moved AS (UPDATE log_head SET position = 2)
           INSERT INTO events VALUES (2, 'alice', 2, 'WalletFrozen', 1, NULL, '{}', now() + interval '1 hour')""",
    )
    async with replica(event_store.service) as one:
        outcome = await one.perform(UnfreezeWallet("alice"))
    times = [row["at"] for row in await query(event_store.service, "SELECT at FROM events ORDER BY position")]
    assert times[2] == times[1]
    assert isinstance(outcome, StatusChanged)
    assert outcome.wallet.updated_at == times[1]


async def test_every_nth_version_has_a_snapshot_that_equals_the_events(event_store: DatabaseUrls) -> None:
    """Every nth version has a snapshot, and a wallet loads equally with and without snapshots."""
    async with replica(event_store.service, snapshot_every=10) as one:
        await one.perform_all([opening("alice", 1000), opening("bob")])
        await one.perform_all([transfer("alice", "bob", 1) for _ in range(95)])
        await one.snapshots.drain()
        with_snapshots = await one.wallet("alice")
        rows = await query(
            event_store.service, "SELECT version FROM snapshots WHERE stream_id = 'alice' ORDER BY 1"
        )
        await query(event_store.owner, "DELETE FROM snapshots")
        without = await one.wallet("alice")
    assert [row["version"] for row in rows] == list(range(10, 97, 10))
    assert with_snapshots == without
    assert without.version == 96


async def test_bounded_cache_evicts_wallets_and_loads_them_again(event_store: DatabaseUrls) -> None:
    """A cache of three wallets gives correct decisions on fifty wallets."""
    chance = random.Random(7)
    names = [f"w{n}" for n in range(50)]
    async with replica(event_store.service, wallets_max=3, batch_max=10) as one:
        await one.perform_all([opening(name, 100) for name in names])
        pairs = [chance.sample(names, 2) for _ in range(500)]
        await one.perform_all([transfer(payer, payee, 1) for payer, payee in pairs])
        assert len(one.cache.wallets) <= 3
        wallets = await one.wallets(names)
    assert sum(wallet.balance_micros for wallet in wallets.values()) == 5000
    await assert_log_is_whole(event_store.service)


async def test_cache_is_bounded_while_the_store_appends_nothing(event_store: DatabaseUrls) -> None:
    """While the store rejects every append, for example because its disk is full, loaded wallets are evicted, too."""
    await query(
        event_store.owner,
        "CREATE TRIGGER disk_full BEFORE INSERT ON decisions FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    )
    async with replica(event_store.service, wallets_max=3) as one:
        assert [await one.perform(opening(f"w{n}")) for n in range(20)] == [NotDone()] * 20
        assert len(one.cache.wallets) <= 4
