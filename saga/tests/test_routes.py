"""The orchestrator's public routes while a worker is unreachable or overloaded: responses and metrics."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from socket import socket

import pytest
from prometheus_client import REGISTRY
from saga_support.scene import ONE_SHARD

from wallet_kernel.attempt import Attempt, NoOutcome
from wallet_kernel.contract.problems import Problem
from wallet_kernel.contract.requests import CashRequest, Requests
from wallet_kernel.http import Handler, Request
from wallet_kernel.ids import new_transaction_id
from wallet_kernel.redis_client import open_cache
from wallet_saga.domain.commands import ReadWallet, TurnedAway
from wallet_saga.domain.saga import Saga, State
from wallet_saga.orchestrator.balance_reader import BalanceReader
from wallet_saga.orchestrator.coordinator import Coordinator, Drive
from wallet_saga.orchestrator.payments import Payments
from wallet_saga.orchestrator.routes import PublicRoutes
from wallet_saga.orchestrator.shard_client import (
    OutcomeUnknown,
    Overloaded,
    ShardClient,
    Shards,
    ShardUnavailable,
    _settled,
    _unavailable,
    open_session,
)

pytestmark = pytest.mark.anyio

TRANSFER = b'{"fromAccount":"a","toAccount":"b","amount":1,"currency":"USD"}'


@pytest.fixture
def port() -> Iterator[socket]:
    """A bound port. It refuses connections until the test listens; then it accepts them and never answers."""
    with socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


def counted(outcome: str) -> float:
    """Returns the number of transfers with this outcome."""
    return REGISTRY.get_sample_value("wallet_transfers_total", {"outcome": outcome}) or 0.0


def transfer() -> Request:
    """Returns a request for a transfer."""
    headers = [(b"content-type", b"application/json")]
    return Request({"path": "/wallets/balanceTransfer", "query_string": b"", "headers": headers}, TRANSFER)


@asynccontextmanager
async def handlers(
    port: socket, *, deadline_s: float, step_timeout_s: float, batch_max: int = 10, queue_max: int = 10
) -> AsyncIterator[dict[str, Handler]]:
    """The public handlers of an orchestrator whose only worker and whose Redis are at this port."""
    url = f"127.0.0.1:{port.getsockname()[1]}"
    async with open_session("a secret for tests only") as session, open_cache(f"redis://{url}") as redis:
        worker = ShardClient(
            "worker-0",
            session,
            f"http://{url}",
            ONE_SHARD,
            timeout_s=step_timeout_s,
            batch_max=batch_max,
            queue_max=queue_max,
        )
        shards = Shards(ONE_SHARD.topology, [worker])
        payments = Payments(Coordinator(shards), deadline_s)
        balances = BalanceReader(redis, 0.1)
        yield PublicRoutes(Requests(frozenset({"USD"})), payments, shards, balances).handlers()


@pytest.mark.parametrize(("listens", "problem"), [(False, "shard-unavailable"), (True, "outcome-unknown")])
async def test_transfer_without_an_outcome_is_counted_under_its_problem(
    port: socket, monkeypatch: pytest.MonkeyPatch, problem: str, *, listens: bool
) -> None:
    """The metric counts a transfer without an outcome under the problem of its response, because alerts use it."""
    # The deadline is in the long pause before the second attempt, not in an attempt.
    monkeypatch.setattr("wallet_kernel.backoff.random.uniform", lambda _, longest_s: longest_s)
    monkeypatch.setattr("wallet_saga.orchestrator.coordinator.BACKOFF_FIRST_S", 5.0)
    if listens:
        port.listen()
    before = counted(problem)
    async with handlers(port, deadline_s=0.5, step_timeout_s=0.1) as public:
        with pytest.raises(Problem) as raised:
            await public["transfer"](transfer())
    assert raised.value.name == problem
    assert counted(problem) == before + 1


async def test_step_is_answered_as_not_done_only_if_it_was_not_sent(port: socket) -> None:
    """At the deadline, a step that was sent may be done, but a step that is still queued is dropped."""
    port.listen()
    url = f"http://127.0.0.1:{port.getsockname()[1]}"
    async with open_session("a secret for tests only") as session:
        shard = ShardClient("worker-0", session, url, ONE_SHARD, timeout_s=5.0, batch_max=10, queue_max=10)
        payments = Payments(Coordinator(Shards(ONE_SHARD.topology, [shard])), 0.5)
        request = CashRequest("alice", 1, "USD")
        sent = asyncio.create_task(payments.deposit(request, None))
        await asyncio.sleep(0.1)
        queued = asyncio.create_task(payments.deposit(request, None))
        outcomes = await asyncio.gather(sent, queued, return_exceptions=True)
    assert [isinstance(each, NoOutcome) and each.may_be_done for each in outcomes] == [True, False]
    assert isinstance(outcomes[1], NoOutcome)


async def test_transfer_is_answered_overloaded_at_once_when_the_queue_is_full(port: socket) -> None:
    """If a batch is running and the queue is full, the next transfer gets 503 `overloaded` immediately."""
    port.listen()
    async with handlers(port, deadline_s=60, step_timeout_s=60, batch_max=1, queue_max=1) as public:
        waiting = []
        for _ in range(2):  # one in a batch, one in the queue
            waiting.append(asyncio.ensure_future(public["transfer"](transfer())))
            await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            with pytest.raises(Problem) as raised:
                await public["transfer"](transfer())
        assert not any(task.done() for task in waiting), "The queue was not full, so the test proves nothing."
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    answer = raised.value.response("/")
    assert (raised.value.name, answer.status) == ("overloaded", 503)
    assert b"retry-after" in dict(answer.headers)


async def test_overloaded_worker_is_answered_as_overloaded_not_as_unavailable() -> None:
    """A worker's TurnedAway and its problem `overloaded` mean Overloaded; other 503s mean ShardUnavailable."""
    assert isinstance(_settled(TurnedAway()), Overloaded)
    for name, kind in (("overloaded", Overloaded), ("draining", ShardUnavailable)):
        assert type(_unavailable(Problem(name, "").response("/").body)) is kind


class Shard:
    """A fake shard that fails each step with the next of these exceptions, and repeats the last one."""

    def __init__(self, *outcomes: Exception) -> None:
        self._outcomes = list(outcomes)
        self._submitted = asyncio.Semaphore(0)

    async def was_retried(self, by: asyncio.Task[object]) -> bool:
        """Waits until the task has sent its step five times. Returns False if the task ended before."""
        steps = asyncio.create_task(self._await_steps(5))
        await asyncio.wait({steps, by}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        return steps.done() and not by.done()

    async def _await_steps(self, count: int) -> None:
        for _ in range(count):
            await self._submitted.acquire()

    def submit(self, _: object) -> asyncio.Future[object]:
        """Returns a future with the next exception."""
        self._submitted.release()
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        future.set_exception(outcome)
        return future


async def test_step_that_may_be_done_is_never_answered_as_overloaded() -> None:
    """After an unknown outcome, a full queue leads to a retry, because `overloaded` means that nothing was done."""
    shard = Shard(OutcomeUnknown("the reply was lost"), Overloaded("full"))
    coordinator = Coordinator(Shards(ONE_SHARD.topology, [shard]))  # type: ignore[list-item] # a fake shard
    attempt = Attempt()
    performing: asyncio.Task[object] = asyncio.create_task(coordinator.perform(ReadWallet("alice"), attempt))
    assert await shard.was_retried(performing)
    performing.cancel()
    assert attempt.may_be_done


async def test_a_debited_saga_waits_for_an_overloaded_payee() -> None:
    """If the payee's queue is full after the debit, the saga waits; it is neither refused nor refunded."""
    shard = Shard(Overloaded("full"))
    coordinator = Coordinator(Shards(ONE_SHARD.topology, [shard]))  # type: ignore[list-item] # a fake shard
    saga = Saga(new_transaction_id("a"), "a", "b", 1, "USD", state=State.DEBITED)
    drive = Drive(saga, Attempt())
    deciding: asyncio.Task[object] = asyncio.create_task(coordinator.decide(drive))
    assert await shard.was_retried(deciding)
    deciding.cancel()
    assert drive.saga.state is State.DEBITED
