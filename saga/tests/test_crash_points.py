"""Every crash point of the transfer saga, on real servers, as in the table of docs/saga-protocol.md.

A test acts as the orchestrator that dies: it sends the workers only the steps that were sent before the crash. The
stack's own orchestrator must then end the saga by recovery, or find it ended.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from socket import socket
from typing import Self
from uuid import UUID

import asyncpg
import httpx
import pytest
from saga_support.scene import ONE_SHARD, RECORD, TEN, Scene, account_on, opened_scene, worker_urls

from wallet_kernel.attempt import Attempt
from wallet_kernel.ids import new_transaction_id
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.readiness import FRESH_S
from wallet_kernel.topology import Placement, Topology
from wallet_lab.testing import RunningStack, detour, running_stack
from wallet_saga.domain.commands import Done, Flush, OpenWallet, ReadWallet, Refused, Replayed
from wallet_saga.domain.saga import Saga, State
from wallet_saga.messages import Lookup
from wallet_saga.orchestrator.coordinator import Coordinator, Drive
from wallet_saga.orchestrator.shard_client import (
    OutcomeUnknown,
    ShardClient,
    Shards,
    ShardUnavailable,
    open_session,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """A saga stack with short recovery intervals and leases."""
    quick = {"worker": {"WALLET_SAGA_LEASE_S": "0.4"}, "orchestrator": {"WALLET_RECOVERY_INTERVAL_S": "0.1"}}
    with running_stack("saga", extra_env=quick) as running:
        yield running


@pytest.fixture
async def scene(stack: RunningStack) -> AsyncIterator[Scene]:
    """A fresh pair of wallets."""
    async with opened_scene(stack) as scene:
        yield scene


async def test_nothing_happens_if_the_orchestrator_dies_before_the_debit(scene: Scene) -> None:
    """If the orchestrator dies before the debit, nothing is logged and no money moves."""
    assert await scene.ended() is None
    assert (await scene.api.get(f"/transfers/{scene.transaction_id}")).status_code == 404
    assert await scene.balances() == (100, 0)


async def test_recovery_completes_the_saga_if_the_orchestrator_dies_after_the_debit(scene: Scene) -> None:
    """If the orchestrator dies after the debit, recovery credits the payee and completes the saga."""
    assert await scene.send(scene.debit()) == Done()
    assert await scene.ended() == "completed"
    assert await scene.balances() == (90, 10)


async def test_recovery_credits_once_if_the_orchestrator_dies_after_the_credit(scene: Scene) -> None:
    """If the orchestrator dies after the credit, recovery repeats it, and the barrier keeps it to one credit."""
    await scene.send(scene.debit())
    assert await scene.send(scene.credit()) == Done()
    assert await scene.ended() == "completed"
    assert await scene.balances() == (90, 10)


async def test_recovery_refunds_if_the_orchestrator_dies_after_a_refused_credit(scene: Scene) -> None:
    """If the credit was refused, recovery gets that refusal from the barrier and refunds, also after a thaw."""
    await scene.freeze(scene.payee)
    await scene.send(scene.debit())
    assert await scene.send(scene.credit()) == Refused(Refusal.WALLET_FROZEN)
    await scene.api.put(f"/wallets/{scene.payee}", json={"status": "active"})
    assert await scene.ended() == "refunded"
    assert await scene.balances() == (100, 0)
    assert (await scene.document())["reason"] == "/problems/wallet-frozen"


async def test_recovery_does_nothing_if_the_orchestrator_dies_after_the_refund(scene: Scene) -> None:
    """After the refund the saga has ended: recovery does not claim it, and a repeated refund moves no money."""
    await scene.freeze(scene.payee)
    for step in (scene.debit(), scene.credit(), scene.refund(), scene.refund()):
        await scene.send(step)
    assert await scene.ended() == "refunded"
    assert await scene.balances() == (100, 0)


async def test_late_steps_after_the_refund_change_nothing(scene: Scene) -> None:
    """Duplicates of every step that arrive after the refund get the first outcome and move no money."""
    await scene.freeze(scene.payee)
    for step in (scene.debit(), scene.credit(), scene.refund()):
        await scene.send(step)
    await scene.api.put(f"/wallets/{scene.payee}", json={"status": "active"})
    assert await scene.send(scene.credit()) == Refused(Refusal.WALLET_FROZEN)
    late_debit = await scene.send(scene.debit())
    assert isinstance(late_debit, Replayed)
    assert late_debit.transfer.state == "refunded"
    assert await scene.send(scene.complete()) == Done()
    assert await scene.balances() == (100, 0)


async def test_late_steps_after_completion_change_nothing(scene: Scene) -> None:
    """A refund that arrives after completion moves no money, because the payee has it."""
    for step in (
        scene.debit(),
        scene.credit(),
        scene.complete(),
        scene.refund(),
        scene.credit(),
        scene.debit(),
    ):
        await scene.send(step)
    assert await scene.ended() == "completed"
    assert await scene.balances() == (90, 10)


async def test_lookup_shows_pending_until_the_saga_is_decided(scene: Scene) -> None:
    """A transfer is pending until it is decided, and its timeline shows only steps that are durable."""
    await scene.freeze(scene.payee)
    await scene.send(scene.debit())
    assert (await scene.document())["status"] in ("pending", "refused")
    await scene.ended()
    document = await scene.document()
    assert [entry["step"] for entry in document["timeline"]] == ["debit", "credit refused", "refund"]


async def test_two_orchestrators_on_one_saga_have_one_effect(scene: Scene) -> None:
    """If two orchestrators drive the same saga at the same time, it has one effect and both get the same outcome."""
    saga = Saga(scene.transaction_id, scene.payer, scene.payee, TEN, "USD")
    drives = [Coordinator(scene.shards).decide(Drive(saga, Attempt())) for _ in range(10)]
    states = {decided.state for decided in await asyncio.gather(*drives)}
    assert states <= {State.CREDITED, State.COMPLETED}
    assert await scene.ended() == "completed"
    assert await scene.balances() == (90, 10)


async def test_two_orchestrators_compensate_once(scene: Scene) -> None:
    """If two orchestrators compensate the same saga, the payer is refunded once."""
    await scene.freeze(scene.payee)
    saga = Saga(scene.transaction_id, scene.payer, scene.payee, TEN, "USD")
    drives = [Coordinator(scene.shards).decide(Drive(saga, Attempt())) for _ in range(10)]
    decided = await asyncio.gather(*drives)
    assert {(d.state, d.reason) for d in decided} == {(State.REFUNDED, Refusal.WALLET_FROZEN)}
    assert await scene.balances() == (100, 0)


@pytest.mark.parametrize("is_silent", [True, False], ids=["silent worker", "stuck writer"])
async def test_sagas_of_a_stuck_shard_do_not_delay_the_others(
    stack: RunningStack, scene: Scene, *, is_silent: bool
) -> None:
    """While 1,500 sagas wait for a stuck payee's shard, recovery ends a saga whose payee is on another shard."""
    payer = scene.shards.of_account(scene.payer)
    stuck = [scene.debit() for _ in range(1500)]
    for debit in stuck:
        debit.transaction_id, debit.amount_micros = new_transaction_id(scene.payer), 1
    async with AsyncExitStack() as outage:
        if is_silent:
            outage.enter_context(stack.paused("worker-1"))
        else:
            await outage.enter_async_context(locked_credits(stack.database_urls[1]))
        with stack.paused("orchestrator-0"):  # so that its first claim finds all of them
            for first in range(0, len(stuck), 500):
                await asyncio.gather(*map(payer.submit, stuck[first : first + 500]))
            await asyncio.sleep(0.5)  # until their leases have expired
        scene.payee = account_on(0)
        await payer.submit(OpenWallet(new_transaction_id(scene.payee), scene.payee, 0, "USD", None, None))
        await scene.send(scene.debit())
        assert await scene.ended() == "completed"
    scene.transaction_id = stuck[-1].transaction_id
    async with asyncio.timeout(30):
        while await scene.state() != "completed":  # noqa: ASYNC110 -- the database sends no event for it
            await asyncio.sleep(0.1)


@asynccontextmanager
async def locked_credits(url: str) -> AsyncIterator[None]:
    """Locks a shard's credit barrier, so that its writer waits while queries of its saga log are answered."""
    owner = await asyncpg.connect(url)
    await owner.execute("BEGIN; LOCK TABLE credits IN ACCESS EXCLUSIVE MODE")
    try:
        yield
    finally:
        await owner.close()


class LosesReplies:
    """A proxy of a worker that loses the next `to_lose` replies after the worker has done its work."""

    def __init__(self, target: str) -> None:
        self._host, self._port = target.removeprefix("http://").split(":")
        self.to_lose = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        worker_reader, worker_writer = await asyncio.open_connection(self._host, int(self._port))
        forward = asyncio.create_task(self._pump(reader, worker_writer))
        while reply := await worker_reader.read(65536):
            if self.to_lose > 0:
                self.to_lose -= 1
                break
            writer.write(reply)
        forward.cancel()
        writer.close()
        worker_writer.close()

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)


@pytest.mark.parametrize("lossy_shard", [0, 1], ids=["debit", "credit"])
async def test_step_is_sent_again_after_a_lost_reply(
    stack: RunningStack, scene: Scene, lossy_shard: int
) -> None:
    """If a worker's reply is lost, the coordinator sends the step again, and the step has one effect."""
    urls = worker_urls(stack)
    async with (
        open_session(stack.credentials.service_secret) as session,
        LosesReplies(urls[lossy_shard]) as wire,
    ):
        urls[lossy_shard] = wire.url
        shards = Shards(
            Topology.even(2),
            [
                ShardClient(
                    f"lossy-{n}",
                    session,
                    url,
                    Placement.even(n, 2),
                    timeout_s=2.0,
                    batch_max=100,
                    queue_max=1000,
                )
                for n, url in enumerate(urls)
            ],
        )
        wire.to_lose = 2
        decided = await Coordinator(shards).decide(
            Drive(Saga(scene.transaction_id, scene.payer, scene.payee, TEN, "USD"), Attempt())
        )
        assert wire.to_lose == 0, "Not all replies were lost, so the test proves nothing."
        assert (decided.state, decided.replayed) == (State.CREDITED, False)
    assert await scene.ended() == "completed"
    assert await scene.balances() == (90, 10)


async def test_worker_rejects_steps_of_another_shard(stack: RunningStack, scene: Scene) -> None:
    """If restarted containers swap addresses, the wrong worker performs no steps and answers 421."""
    urls = worker_urls(stack)
    name = account_on(0)
    step = OpenWallet(new_transaction_id(name), name, 100, "USD", None, None)
    async with open_session(stack.credentials.service_secret) as session:
        astray = ShardClient(
            "astray", session, urls[1], Placement.even(0, 2), timeout_s=2.0, batch_max=100, queue_max=1000
        )
        for message in (step, Flush()):
            with pytest.raises(ShardUnavailable):
                await astray.submit(message)
        there = ShardClient(
            "there", session, urls[1], Placement.even(1, 2), timeout_s=2.0, batch_max=100, queue_max=1000
        )
        assert isinstance(await there.submit(ReadWallet(account_on(1))), Refused)


async def test_unresponsive_worker_does_not_delay_steps_to_other_workers(stack: RunningStack) -> None:
    """While 100 queries wait for a worker that does not answer, another worker still gets its steps."""
    [url, *_] = worker_urls(stack)
    with socket() as silence:
        silence.bind(("127.0.0.1", 0))
        silence.listen(200)
        silent_url = f"http://127.0.0.1:{silence.getsockname()[1]}"
        async with open_session(stack.credentials.service_secret) as session:
            silent = ShardClient(
                "silent",
                session,
                silent_url,
                Placement.even(1, 2),
                timeout_s=60.0,
                batch_max=100,
                queue_max=1000,
            )
            there = ShardClient(
                "there", session, url, Placement.even(0, 2), timeout_s=60.0, batch_max=100, queue_max=1000
            )
            lookup = Lookup(new_transaction_id("x"))
            waiting = [asyncio.create_task(silent.ask("/credit", lookup, RECORD)) for _ in range(100)]
            await asyncio.sleep(0.2)
            async with asyncio.timeout(30):
                outcome = await there.submit(ReadWallet("unheard-of"))
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(outcome, Refused)


async def test_unreachable_database_is_answered_as_not_done(stack: RunningStack, scene: Scene) -> None:
    """If the database is unreachable before COMMIT, the client gets shard-unavailable and nothing is done."""
    body = {"fromAccount": scene.payer, "toAccount": scene.payee, "amount": 10, "currency": "USD"}
    with stack.outage("postgres-0"):
        answer = await scene.api.post("/wallets/balanceTransfer", json=body, timeout=10)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/shard-unavailable")
    stack.wait_ready()
    assert await scene.balances() == (100, 0)


async def test_worker_cannot_use_the_database_of_another_shard(stack: RunningStack, scene: Scene) -> None:
    """If databases swap addresses, the other database refuses the connection, and nothing is read or written."""
    ports = {part.name: part.port for part in stack.components}
    before = await _rows(stack, 1)
    body = {"fromAccount": scene.payer, "toAccount": scene.payee, "amount": 10, "currency": "USD"}
    wallet = {"accountId": account_on(0), "currency": "USD"}
    with stack.outage("postgres-0"):
        async with detour(ports["postgres-0"], ports["postgres-1"]):
            answers = [
                await _known(lambda: scene.api.post("/wallets/balanceTransfer", json=body, timeout=10)),
                await _known(lambda: scene.api.post("/wallets", json=wallet, timeout=10)),
                await scene.api.get(f"/wallets/{scene.payer}/transactions", timeout=10),
                await scene.api.get(f"/transfers/{scene.transaction_id}", timeout=10),
            ]
        assert await _rows(stack, 1) == before
    problems = [(answer.status_code, answer.json().get("type")) for answer in answers]
    assert problems == [(503, "/problems/shard-unavailable")] * 4
    log = stack.log("worker-0")
    assert "InvalidCatalogNameError" in log, (
        "The worker did not reach the other database: the test proves nothing."
    )
    assert "request failed" not in log
    assert (await scene.api.post("/wallets/balanceTransfer", json=body)).status_code == 201
    assert await scene.balances() == (90, 10)


async def _known(send: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Sends a request until its outcome is known.

    It is unknown if the request meets a connection that is just ending, or if the worker answers late.
    """
    async with asyncio.timeout(60):
        while (answer := await send()).json().get("type") == "/problems/outcome-unknown":
            pass
    return answer


async def _rows(stack: RunningStack, shard: int) -> list[int]:
    """Returns the number of rows in each of a shard's tables."""
    connection = await asyncpg.connect(stack.database_urls[shard])
    try:
        tables = ("wallets", "ledger", "transfers", "credits")
        return [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables]  # noqa: S608
    finally:
        await connection.close()


@pytest.mark.parametrize("keyed", [False, True], ids=["bare", "keyed"])
async def test_lookup_waits_for_a_queued_debit_before_404(
    stack: RunningStack, scene: Scene, keyed: bool
) -> None:
    """A lookup does not return 404 while the transfer's debit is still queued at the shard."""
    body = {"fromAccount": scene.payer, "toAccount": scene.payee, "amount": 10, "currency": "USD"}
    headers = {"Idempotency-Key": "k"} if keyed else {}
    async with held_up(stack.service_database_urls[0]) as (first, then):
        ahead = asyncio.create_task(scene.send(scene.complete()))  # the only step of the current batch
        await asyncio.sleep(0.1)
        answer = await scene.api.post("/wallets/balanceTransfer", json=body, headers=headers, timeout=10)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/outcome-unknown")
        scene.transaction_id = UUID(answer.json()["transactionId"])
        looking = asyncio.create_task(scene.api.get(f"/transfers/{scene.transaction_id}", timeout=10))
        await asyncio.sleep(0.2)
        await first.close()
        await asyncio.sleep(0.3)
        await then.close()
    found = await looking
    await asyncio.gather(ahead, return_exceptions=True)
    assert await scene.ended() == "completed"
    assert found.status_code != 404, found.text


@asynccontextmanager
async def held_up(url: str) -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Connection]]:
    """Holds a shard's batch lock. The worker gets it once: after the first connection and before the second one."""
    first, then = await asyncpg.connect(url), await asyncpg.connect(url)
    await first.execute("SELECT pg_advisory_lock(1)")
    waiting = asyncio.create_task(_wait_behind_the_worker(then))
    try:
        yield first, then
    finally:
        waiting.cancel()
        await asyncio.wait([waiting])
        for connection in (first, then):
            connection.terminate()


async def _wait_behind_the_worker(connection: asyncpg.Connection) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while await connection.fetchval(waiting) == 0:  # noqa: ASYNC110 -- the database sends no event for it
        await asyncio.sleep(0.02)
    await connection.execute("SELECT pg_advisory_lock(1)")


async def test_step_cancelled_in_the_queue_is_not_sent(stack: RunningStack, scene: Scene) -> None:
    """A cancelled step that is still in the orchestrator's queue is not sent, because its client may send it again."""
    writer_elsewhere = await asyncpg.connect(stack.service_database_urls[0])
    [url, *_] = worker_urls(stack)
    async with open_session(stack.credentials.service_secret) as session:
        shard = ShardClient(
            "patient", session, url, Placement.even(0, 2), timeout_s=5.0, batch_max=1, queue_max=1000
        )
        await writer_elsewhere.execute("SELECT pg_advisory_lock(1)")
        under_way, given_up = shard.submit(ReadWallet(scene.payer)), shard.submit(scene.debit())
        await asyncio.sleep(0.1)
        given_up.cancel()
        await writer_elsewhere.close()
        await under_way
        await shard.submit(Flush())
    assert await scene.state() is None
    assert await scene.balances() == (100, 0)


async def test_saga_is_not_compensated_after_a_timeout(scene: Scene) -> None:
    """While the payee's shard is unreachable, the saga is not compensated; it stays open until the shard answers."""
    await scene.send(scene.debit())
    drive = Drive(
        Saga(scene.transaction_id, scene.payer, scene.payee, TEN, "USD", state=State.DEBITED), Attempt()
    )
    coordinator = Coordinator(Shards(ONE_SHARD.topology, [_Unreachable()]))  # type: ignore[list-item] # a fake shard that never answers
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await coordinator.decide(drive)
    assert drive.saga.state is State.DEBITED
    assert drive.attempt.may_be_done
    assert await scene.ended() == "completed"


class _Unreachable:
    def submit(self, _: object) -> asyncio.Future[object]:
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        future.set_exception(OutcomeUnknown("the reply was lost"))
        return future


@pytest.mark.slow
async def test_orchestrator_is_ready_while_it_can_serve_a_shard(stack: RunningStack) -> None:
    """If one shard is dead, a metric shows it and the orchestrator stays ready; without any shard it is not ready."""
    url = next(part.url for part in stack.components if part.kind == "orchestrator")
    async with httpx.AsyncClient(base_url=url, timeout=30) as own:
        with stack.paused("worker-1"):
            await asyncio.sleep(FRESH_S)
            ready = await own.get("/readyz")
            assert (ready.status_code, ready.json()["degraded"].keys()) == (200, {"worker-1"})
            assert 'wallet_dependency_up{dependency="worker-1"} 0.0' in (await own.get("/metrics")).text
            with stack.paused("worker-0"):
                await asyncio.sleep(FRESH_S)
                assert (await own.get("/readyz")).status_code == 503
    stack.wait_ready()
