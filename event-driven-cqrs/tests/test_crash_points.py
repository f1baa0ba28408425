"""Every crash point of the write side on real servers. docs/cqrs-protocol.md lists them in a table."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import pytest
from cqrs_support.reading import history
from cqrs_support.replicas import (
    Replica,
    assert_log_is_whole,
    locked_head,
    opening,
    query,
    replica,
    transfer,
    waits_for_a_lock,
)
from cqrs_support.severing import Cut, SeverableWay
from msgspec.structs import replace

from wallet_cqrs.command.payments import Payments
from wallet_cqrs.command.statements import APPEND, BEGIN_APPENDING
from wallet_cqrs.domain.commands import FreezeWallet
from wallet_cqrs.domain.submissions import Decided, NotDone, Outcome, Unknown
from wallet_cqrs.domain.wallet import initial_state
from wallet_cqrs.event_log import open_pool
from wallet_kernel.attempt import NoOutcome
from wallet_kernel.batcher import QueueFull
from wallet_kernel.contract.requests import TransferRequest
from wallet_kernel.database import DATABASE_ERRORS
from wallet_lab.testing import (
    DatabaseUrls,
    PostgresServer,
    RunningService,
    migrated_postgres,
    running_service,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def mortal() -> Iterator[PostgresServer]:
    """A Postgres cluster that the tests of this module may kill."""
    with migrated_postgres("wallet_cqrs.migrations", "events") as server:
        yield server


@asynccontextmanager
async def way_to(event_store: DatabaseUrls) -> AsyncIterator[SeverableWay]:
    """A proxy to the event store that can break a connection."""
    async with SeverableWay(event_store.service).open() as way:
        yield way


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize(("cut", "done"), [("before-commit", False), ("after-commit", True)])
async def test_a_commit_without_an_answer_is_unknown(
    event_store: DatabaseUrls, cut: Cut, done: bool, locked: bool
) -> None:
    """If a commit gets no answer, the outcome is unknown, and a retry does the command exactly once."""
    async with way_to(event_store) as way, replica(way.url) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        way.cut = cut
        paid = transfer("alice", "bob", 40, "key")
        assert await one.perform(replace(paid, resent=locked)) == Unknown()
        assert way.was_cut.is_set()
        recorded = await query(
            event_store.service, "SELECT 1 FROM decisions WHERE transaction_id = $1", paid.transaction_id
        )
        assert bool(recorded) is done
        again = await one.perform(replace(paid, resent=True))
        assert isinstance(again, Decided)
        assert again.transaction_id == paid.transaction_id
        by_key = await one.perform(transfer("alice", "bob", 40, "key"))
        assert by_key == again
        assert (await one.wallet("alice")).balance_micros == 60
    assert await assert_log_is_whole(event_store.service) == 4


Run = Callable[[], Awaitable[object]]


def intercept(patch: pytest.MonkeyPatch, interceptor: Callable[[str, Run], Awaitable[object]]) -> None:
    """Passes every statement of `execute` and `fetchval` to the interceptor, with a function that runs it."""

    def intercepted(run: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def method(
            connection: asyncpg.Connection, sql: str, *values: object, **options: object
        ) -> object:
            return await interceptor(sql, lambda: run(connection, sql, *values, **options))

        return method

    for name in ("execute", "fetchval"):
        patch.setattr(asyncpg.Connection, name, intercepted(getattr(asyncpg.Connection, name)))


@pytest.mark.parametrize(
    ("locked", "at", "outcome"),
    [(False, APPEND, Unknown()), (True, BEGIN_APPENDING, NotDone()), (True, "COMMIT", Unknown())],
    ids=["append", "begin", "commit"],
)
async def test_failure_of_the_driver_counts_as_a_lost_connection(
    event_store: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, locked: bool, at: str, outcome: Outcome
) -> None:
    """If the driver loses the connection, the batch is not bisected: not done before a commit, unknown at a commit."""
    sent = list[str]()

    async def breaking_off(sql: str, run: Run) -> object:
        sent.append(sql)
        if sql == at and sent.count(sql) == 1:
            raise asyncpg.InternalClientError("got result for unknown protocol state 3")
        return await run()

    async with replica(event_store.service) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        intercept(monkeypatch, breaking_off)
        paid = [replace(transfer("alice", "bob", 1), resent=locked) for _ in range(2)]
        assert list(await one.perform_all(paid)) == [outcome, outcome]
        assert sent.count(at) == 1
        again = await one.perform_all([replace(item, resent=True) for item in paid])
        assert all(isinstance(each, Decided) for each in again)
    assert await assert_log_is_whole(event_store.service) == 6


@pytest.mark.parametrize(("locked", "at"), [(False, APPEND), (True, "COMMIT")], ids=["append", "commit"])
async def test_unexpected_error_at_the_commit_leaves_the_outcome_unknown(
    event_store: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, locked: bool, at: str
) -> None:
    """After any exception at a commit, such as uvloop's RuntimeError, the outcome is unknown."""
    gone = False

    async def breaking_off(sql: str, run: Run) -> object:
        nonlocal gone
        result = None if gone else await run()
        gone = gone or sql == at
        if gone:
            raise RuntimeError(
                "unable to perform operation on <TCPTransport closed=True>; the handler is closed"
            )
        return result

    async with replica(event_store.service) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        paid = replace(transfer("alice", "bob", 40), resent=locked)
        with monkeypatch.context() as broken:
            intercept(broken, breaking_off)
            assert await one.perform(paid) == Unknown()
        again = await one.perform(replace(paid, resent=True))
    assert isinstance(again, Decided)
    assert (again.reason, again.first_position) == (None, 3)
    assert await assert_log_is_whole(event_store.service) == 4


async def test_append_that_outlives_its_connection_has_one_effect_with_its_repetition(
    event_store: DatabaseUrls,
) -> None:
    """If the connection of a waiting append ends, the append may commit later. The resent command gets its decision."""
    url = event_store.service
    async with replica(url) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        paid = transfer("alice", "bob", 40)
        async with asyncio.timeout(20), locked_head(url):
            appending = one.writer.submit(paid)
            while not await waits_for_a_lock(url):
                assert not appending.done()
            assert one.store._primary._connection is not None
            one.store._primary._connection.terminate()
            assert await appending == Unknown()
            again = one.writer.submit(replace(paid, resent=True))
            while not await waits_for_a_lock(url, sessions=2):
                assert not again.done()
        decided = await again
    assert isinstance(decided, Decided)
    assert (decided.transaction_id, decided.first_position) == (paid.transaction_id, 3)
    assert await assert_log_is_whole(url) == 4


async def test_command_that_a_lookup_did_not_find_may_still_be_done(event_store: DatabaseUrls) -> None:
    """After outcome-unknown, a lookup that finds nothing does not mean that the command will never be done."""
    async with replica(event_store.service) as one, open_pool(event_store.service, "test") as pool:
        await one.perform_all([opening("alice", 100), opening("bob")])
        async with locked_head(event_store.service):
            with pytest.raises(NoOutcome) as unknown:
                await Payments(one.writer, 0.3).transfer(TransferRequest("alice", "bob", 40, "USD"), None)
            assert unknown.value.may_be_done
            assert unknown.value.transaction_id is not None
            assert await history(pool).transfer(unknown.value.transaction_id) is None
        await one.writer.drain()
        assert await history(pool).transfer(unknown.value.transaction_id) is not None


async def test_queued_command_is_dropped_at_its_deadline(event_store: DatabaseUrls) -> None:
    """If no batch took the command before the deadline, it is answered as not done and withdrawn."""
    async with replica(event_store.service) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        payments = Payments(one.writer, 0.3)
        async with locked_head(event_store.service):
            under_way = await one_more(one)
            with pytest.raises(NoOutcome) as queued:
                await payments.transfer(TransferRequest("alice", "bob", 40, "USD"), None)
            with pytest.raises(NoOutcome) as freezing:
                await payments.change_status(FreezeWallet("alice"))
        assert isinstance(await under_way, Decided)
        await one.writer.drain()
        alice = await one.wallet("alice")
    assert not queued.value.may_be_done
    assert not freezing.value.may_be_done
    assert (alice.balance_micros, alice.status) == (100, "active")


@pytest.mark.parametrize("cut", ["before-commit", "after-commit"])
async def test_unknown_commit_is_retried_with_the_same_id(event_store: DatabaseUrls, cut: Cut) -> None:
    """After an unknown commit, the service retries with the same transaction id, even without a key."""
    request = TransferRequest("alice", "bob", 40, "USD")
    async with way_to(event_store) as way, replica(way.url) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        way.cut = cut
        transaction_id, decided = await Payments(one.writer, 4.0).transfer(request, None)
        assert isinstance(decided, Decided)
        assert (decided.transaction_id, decided.reason) == (transaction_id, None)
        assert (await one.wallet("alice")).balance_micros == 60
    assert await assert_log_is_whole(event_store.service) == 4


async def test_command_that_may_be_done_is_never_answered_as_overloaded(
    event_store: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If an earlier attempt may be done, a full queue does not lead to 503 overloaded."""
    monkeypatch.setattr("wallet_kernel.backoff.random.uniform", lambda _, longest_s: longest_s)
    monkeypatch.setattr("wallet_cqrs.command.payments.BACKOFF_FIRST_S", 0.3)
    async with way_to(event_store) as way, replica(way.url, queue_max=1) as one:
        for name in ("alice", "bob"):
            await one.perform(opening(name, 100))
        way.cut = "after-commit"
        payments = Payments(one.writer, 4.0)
        paying = asyncio.create_task(payments.transfer(TransferRequest("alice", "bob", 40, "USD"), None))
        await way.was_cut.wait()
        await asyncio.sleep(0.1)
        async with locked_head(event_store.service):
            others = [await one_more(one), await one_more(one)]  # one in the running batch, one in the queue
            with pytest.raises(QueueFull):
                await payments.transfer(TransferRequest("bob", "alice", 1, "USD"), None)
            await asyncio.sleep(0.4)
            assert not paying.done()
        transaction_id, decided = await paying
        assert isinstance(decided, Decided)
        assert (decided.transaction_id, decided.reason) == (transaction_id, None)
        await asyncio.gather(*others)
        assert (await one.wallet("alice")).balance_micros == 60
    assert await assert_log_is_whole(event_store.service) == 6


async def one_more(one: Replica) -> "asyncio.Future[Outcome]":
    """Starts another command."""
    submitted = one.writer.submit(opening(f"other-{next(_numbers)}"))
    await asyncio.sleep(0.05)
    return submitted


_numbers = itertools.count()


async def test_answer_at_the_deadline_depends_on_whether_commit_was_sent(
    event_store: DatabaseUrls, mortal: PostgresServer
) -> None:
    """At the deadline, a command that never reached COMMIT is not done; one with an unanswered COMMIT is unknown."""
    request = TransferRequest("alice", "bob", 40, "USD")
    urls = mortal.copy_database()
    async with way_to(urls) as way, replica(way.url) as one:
        await one.perform_all([opening("alice", 100), opening("bob")])
        payments = Payments(one.writer, 1.0)
        way.cut = "after-commit"
        mortal_gone = asyncio.create_task(until_cut_then_kill(way, mortal))
        with pytest.raises(NoOutcome) as unknown:
            await payments.transfer(request, None)
        await mortal_gone
        with pytest.raises(NoOutcome) as unavailable:
            await payments.transfer(request, None)
        mortal.start()
    async with replica(urls.service) as later:
        assert (await later.wallet("alice")).balance_micros == 60
    assert unknown.value.may_be_done
    assert unknown.value.transaction_id is not None
    assert not unavailable.value.may_be_done


async def until_cut_then_kill(way: SeverableWay, server: PostgresServer) -> None:
    """Kills Postgres after the proxy has broken the connection."""
    await way.was_cut.wait()
    server.kill()


async def test_confirmed_decisions_survive_a_crash_of_postgres_under_load(mortal: PostgresServer) -> None:
    """After a crash of Postgres, all decisions are durable, and retries complete the other commands."""
    urls = mortal.copy_database()
    async with replica(urls.service, batch_max=20) as one:
        await one.perform_all([opening("alice", 10_000), opening("bob")])
        items = [transfer("alice", "bob", 1) for _ in range(1000)]
        futures = [one.writer.submit(item) for item in items]
        await futures[200]
        mortal.kill()
        outcomes = await asyncio.gather(*futures)
        mortal.start()
        confirmed = {outcome.transaction_id for outcome in outcomes if isinstance(outcome, Decided)}
        recorded = {row[0] for row in await query(urls.service, "SELECT transaction_id FROM decisions")}
        assert confirmed <= recorded
        again = await one.perform_all([replace(item, resent=True) for item in items])
        assert all(isinstance(outcome, Decided) for outcome in again)
        assert (await one.wallet("bob")).balance_micros == 1000
    assert any(isinstance(outcome, NotDone | Unknown) for outcome in outcomes)
    assert await assert_log_is_whole(urls.service) == 2 + 2 * 1000


async def test_replica_works_again_after_an_outage_of_postgres(mortal: PostgresServer) -> None:
    """While Postgres is down, commands are answered as not done; afterwards the same replica works again."""
    urls = mortal.copy_database()
    async with replica(urls.service) as one:
        await one.perform_all([opening("alice", 10), opening("bob")])
        mortal.kill()
        await one.until_disconnected()
        away = await one.perform(transfer("alice", "bob", 1))
        mortal.start()
        back = await one.perform(transfer("alice", "bob", 1))
    assert away == NotDone()
    assert isinstance(back, Decided)
    assert await assert_log_is_whole(urls.service) == 4


async def test_a_reader_that_tails_the_log_never_sees_a_gap(event_store: DatabaseUrls) -> None:
    """Positions become visible in order, because a second append waits until the first has committed.

    Without the lock on the head, the second would take the same positions, or commit later ones first.
    """
    first = await asyncpg.connect(event_store.service)
    async with replica(event_store.service) as second:
        await first.execute("BEGIN; SELECT FROM log_head FOR UPDATE")
        await first.execute("INSERT INTO events VALUES (1, 'first', 1, 'WalletFrozen', 1, NULL, '{}', now())")
        await first.execute("UPDATE log_head SET position = 1")
        appending = asyncio.ensure_future(second.perform(opening("second")))
        await asyncio.sleep(0.5)
        assert not appending.done()
        assert await positions(event_store) == []
        await first.execute("COMMIT")
        outcome = await appending
    await first.close()
    assert isinstance(outcome, Decided)
    assert (outcome.reason, outcome.first_position) == (None, 2)
    assert await positions(event_store) == [1, 2]


async def positions(event_store: DatabaseUrls) -> list[int]:
    """Returns the positions that a reader sees now."""
    return [
        row[0] for row in await query(event_store.service, "SELECT position FROM events ORDER BY position")
    ]


async def test_a_tailing_reader_sees_no_gap_while_replicas_append(event_store: DatabaseUrls) -> None:
    """While three replicas append, a reader never sees a gap in the positions."""
    seen: list[int] = []

    async def tail() -> None:
        reader = await asyncpg.connect(event_store.service)
        while True:
            rows = await reader.fetch("SELECT position FROM events WHERE position > $1 ORDER BY 1", len(seen))
            seen.extend(row[0] for row in rows)
            assert seen == list(range(1, len(seen) + 1))

    async with (
        replica(event_store.service, batch_max=3) as one,
        replica(event_store.service, batch_max=5) as two,
        replica(event_store.service, batch_max=7) as three,
    ):
        tailing = asyncio.create_task(tail())
        works = [
            each.perform_all([opening(f"{number}-{n}") for n in range(200)])
            for number, each in enumerate((one, two, three))
        ]
        await asyncio.gather(*works)
        while len(seen) < 600:
            await asyncio.sleep(0.01)
            assert not tailing.done()
        tailing.cancel()


async def test_paused_replica_delays_the_others_for_a_bounded_time(event_store: DatabaseUrls) -> None:
    """If a replica pauses while it holds the lock on the head, Postgres ends its transaction."""
    async with replica(event_store.service) as paused, replica(event_store.service) as other:
        await paused.perform(opening("bob"))
        with pytest.raises(DATABASE_ERRORS):  # noqa: PT012 -- a transaction is a block
            async with paused.store.transaction() as turn:
                async with asyncio.timeout(8):
                    assert isinstance(await other.perform(opening("alice")), Decided)
                await turn.find_decisions([transfer("alice", "bob", 1, "key")])
        assert isinstance(await paused.perform(opening("carol")), Decided)
    assert await assert_log_is_whole(event_store.service) == 3


MILLION = 1_000_000


async def test_a_wallet_with_a_million_events_loads_in_milliseconds(event_store: DatabaseUrls) -> None:
    """A replica loads a wallet from its newest snapshot and the events after it, faster than it could scan the log."""
    await query(event_store.owner, _MILLION_EVENTS, MILLION)
    async with replica(event_store.service) as warm:
        assert await warm.wallets(["nobody"]) == {"nobody": initial_state("nobody")}  # plans the statements
        durations = []
        for _ in range(5):
            begin = asyncio.get_running_loop().time()
            wallet = await warm.wallet("hot")
            durations.append(asyncio.get_running_loop().time() - begin)
    scans = []
    for _ in range(3):
        begin = asyncio.get_running_loop().time()
        await query(event_store.service, "SELECT sum(length(data)) FROM events")
        scans.append(asyncio.get_running_loop().time() - begin)
    async with replica(event_store.service) as cold:
        begin = asyncio.get_running_loop().time()
        paid = await cold.perform(transfer("hot", "bob", 1))
        first_s = asyncio.get_running_loop().time() - begin
    load_ms, scan_ms = min(durations) * 1000, min(scans) * 1000
    print(f"load {load_ms:.1f} ms, scan {scan_ms:.1f} ms, first command {first_s * 1000:.1f} ms")  # noqa: T201
    assert (wallet.version, wallet.balance_micros) == (MILLION, MILLION - 1)
    assert isinstance(paid, Decided)
    assert load_ms < scan_ms / 2


_MILLION_EVENTS = """
WITH events AS (
    INSERT INTO events
    SELECT n, 'hot', n, CASE WHEN n = 1 THEN 'WalletOpened' ELSE 'BalanceCredited' END, 1, NULL,
           convert_to(CASE WHEN n = 1 THEN '{"currency":"USD","balance_micros":0}'
                           ELSE '{"amount_micros":1,"counterparty":"x"}' END, 'UTF8'),
           timestamptz '2026-01-01Z'
    FROM generate_series(1, $1::bigint) AS n
), snapshots AS (
    INSERT INTO snapshots
    SELECT 'hot', n, 1, timestamptz '2026-01-01Z',
           convert_to(format('{"account_id":"hot","currency":"USD","status":"active","balance_micros":%s,'
                             '"version":%s,"updated_at":"2026-01-01T00:00:00Z"}', n - 1, n), 'UTF8')
    FROM generate_series(500, $1::bigint - 1, 500) AS n
)
UPDATE log_head SET position = $1
"""


@pytest.fixture
def command(event_store: DatabaseUrls, tmp_path: Path) -> Iterator[RunningService]:
    """A command service as a separate process."""
    url = event_store.service
    with running_service("wallet_cqrs.command", tmp_path / "command.log", event_store_url=url) as service:
        yield service


async def test_acknowledged_transfers_survive_a_killed_command_service(
    event_store: DatabaseUrls, command: RunningService, tmp_path: Path
) -> None:
    """After kill -9 under load, all acknowledged transfers are in the log, and retries by key complete the rest."""
    await command.until_ready()
    names = [f"w{n}" for n in range(10)]
    async with httpx.AsyncClient(base_url=command.public_url, timeout=5) as api:
        for name in names:
            opened = await api.post("/wallets", json={"accountId": name, "currency": "USD", "balance": 1000})
            assert opened.status_code == 201
        sending = asyncio.gather(*[send(api, names, number) for number in range(300)])
        await asyncio.sleep(0.25)
        command.kill()
        acknowledged = [answer for answer in await sending if answer is not None]
    recorded = {row[0] for row in await query(event_store.service, "SELECT transaction_id FROM decisions")}
    assert {UUID(str(answer["transactionId"])) for answer in acknowledged} <= recorded
    with running_service(
        "wallet_cqrs.command", tmp_path / "second.log", event_store_url=event_store.service
    ) as second:
        await second.until_ready()
        async with httpx.AsyncClient(base_url=second.public_url, timeout=60) as api:
            answers = await asyncio.gather(*[send(api, names, number) for number in range(300)])
    replayed = {answer["transactionId"]: answer["position"] for answer in answers if answer is not None}
    assert len(replayed) == 300
    assert all(replayed[answer["transactionId"]] == answer["position"] for answer in acknowledged)
    assert await assert_log_is_whole(event_store.service) == 10 + 2 * 300


async def send(api: httpx.AsyncClient, names: list[str], number: int) -> "dict[str, int | str] | None":
    """Sends the transfer with this number and its own key; returns None if there is no response."""
    payer, payee = list(itertools.permutations(names, 2))[number % 90]
    body = {"fromAccount": payer, "toAccount": payee, "amount": "0.5", "currency": "USD"}
    try:
        answer = await api.post(
            "/wallets/balanceTransfer", json=body, headers={"idempotency-key": f"k{number}"}
        )
    except httpx.HTTPError:
        return None
    assert answer.status_code == 201, answer.text
    document: dict[str, int | str] = answer.json()
    return document
