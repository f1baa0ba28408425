"""Random histories of commands, retries, crashes, redelivery, losses and rebuilds on real databases.

Hypothesis generates the histories. A reference model predicts the outcome of every command. At every quiescence, the
log, both read shards and a rebuild must agree with the model.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest
from cqrs_support.model import Model, commands
from cqrs_support.replicas import Item, Replica, assert_log_is_whole, query, replica, submission
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace
from redis.asyncio import Redis

from wallet_cqrs.domain.commands import (
    CloseWallet,
    Command,
    Deposit,
    FreezeWallet,
    OpenWallet,
    TransferMoney,
    UnfreezeWallet,
    Withdraw,
)
from wallet_cqrs.domain.decisions import Refused
from wallet_cqrs.domain.submissions import Decided, Outcome, StatusChanged, Submission
from wallet_cqrs.event_log import EventLog, open_pool
from wallet_cqrs.messages import EventBatch, partition_of
from wallet_cqrs.projection.cache import BalanceCache
from wallet_cqrs.projection.projector import Projector
from wallet_cqrs.projection.store import Store
from wallet_cqrs.rebuild.models import TwinModels
from wallet_cqrs.rebuild.rebuild import build
from wallet_lab.testing import DatabaseUrls, PostgresServer, RedisServer

PARTITIONS = 2
EXAMPLES = int(os.environ.get("WALLET_MODEL_EXAMPLES", "8"))

T = TypeVar("T")
_partitions = st.integers(0, PARTITIONS - 1)
_index = st.integers(0, 20)


def verdict(outcome: Outcome) -> str:
    """Returns the outcome of a command in the model's terms."""
    if isinstance(outcome, Refused):
        return f"{outcome.reason} {outcome.account_id}"
    assert isinstance(outcome, Decided | StatusChanged), outcome
    if isinstance(outcome, Decided) and outcome.reason:
        return f"{outcome.reason} {outcome.refused_by}"
    return "done"


def item_of(command: Command) -> Item:
    """Returns the command as a use case submits it."""
    if isinstance(command, FreezeWallet | UnfreezeWallet | CloseWallet):
        return command
    assert isinstance(command, TransferMoney | OpenWallet | Deposit | Withdraw)
    return submission(command)


class AnyHistory(RuleBasedStateMachine):
    """Two command replicas, published but undelivered messages, and one projector for each partition."""

    def __init__(self, log: DatabaseUrls, shards: list[DatabaseUrls], redis: RedisServer) -> None:
        super().__init__()
        self._log, self._shards, self._redis = log, shards, redis
        self._runner = asyncio.Runner()
        self._resources = AsyncExitStack()
        self._model = Model()
        self._answered: list[tuple[Submission, Outcome]] = []
        self._queues: dict[int, list[EventBatch]] = defaultdict(list)
        self._published = 0
        self.rests = 0
        self._run(self._open())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def _open(self) -> None:
        enter = self._resources.enter_async_context
        self._replicas: list[Replica] = [
            await enter(replica(self._log.service, snapshot_every=3)) for _ in "12"
        ]
        self._events = EventLog(await enter(open_pool(self._log.service, "test")))
        redis = await enter(Redis.from_url(self._redis.url))
        self._projectors = [
            Projector(
                n,
                PARTITIONS,
                await enter(Store(shard.service)),
                self._events,
                BalanceCache(redis, 60, 1),
                chunk_max=3,
                wallets_max=3,
            )
            for n, shard in enumerate(self._shards)
        ]

    def teardown(self) -> None:
        """Asserts at the end of a history that all databases are correct at quiescence."""
        self.come_to_rest()
        self._run(self._resources.aclose())
        self._runner.close()

    @rule(which=st.integers(0, 1), batch=st.lists(commands, min_size=1, max_size=6))
    def command(self, which: int, batch: list[Command]) -> None:
        """Any replica decides a batch as the model does."""
        items = [item_of(command) for command in batch]
        outcomes = self._run(self._replicas[which].perform_all(items))
        for command, item, outcome in zip(batch, items, outcomes, strict=True):
            assert verdict(outcome) == self._model.do(command)
            if isinstance(item, Submission):
                self._answered.append((item, outcome))

    @rule(which=st.integers(0, 1), earlier=_index)
    def retry(self, which: int, earlier: int) -> None:
        """If a command is sent again, any replica returns the first outcome and changes nothing."""
        if self._answered:
            item, first = self._answered[earlier % len(self._answered)]
            assert self._run(self._replicas[which].perform(replace(item, resent=True))) == first

    @rule()
    def crash(self) -> None:
        """All processes die: memory is lost, and the broker redelivers unacknowledged messages."""
        self._run(self._resources.aclose())
        self._resources = AsyncExitStack()
        self._run(self._open())

    @rule(size=st.integers(1, 5))
    def publish(self, size: int) -> None:
        """The relay publishes the next batch: one message to each partition."""
        epoch = self._run(self._events.state(None)).epoch
        events = self._run(self._events.read(epoch, self._published, 2**62, size))
        after, head = self._published, events[-1].position if events else self._published
        for partition in range(PARTITIONS):
            mine = [event for event in events if partition_of(event.stream_id, PARTITIONS) == partition]
            self._queues[partition].append(EventBatch(after, head, mine, epoch))
        self._published = head

    @rule(back=st.integers(1, 10))
    def relay_crash(self, back: int) -> None:
        """The relay dies before it writes its checkpoint, so it publishes events again."""
        self._published = max(0, self._published - back)

    @rule(partition=_partitions, count=st.integers(1, 4), redelivered=st.booleans())
    def deliver(self, partition: int, count: int, *, redelivered: bool) -> None:
        """The broker delivers messages, some of them twice because they were not acknowledged."""
        batches = self._queues[partition][:count]
        if batches:
            self._run(self._projectors[partition].project(batches))
        if not redelivered:
            del self._queues[partition][:count]

    @rule(partition=_partitions, index=_index)
    def lose(self, partition: int, index: int) -> None:
        """The broker loses a message."""
        if queue := self._queues[partition]:
            del queue[index % len(queue)]

    @rule(partition=_partitions, index=_index)
    def overtake(self, partition: int, index: int) -> None:
        """The broker delivers a message before earlier ones."""
        if queue := self._queues[partition]:
            queue.insert(0, queue.pop(index % len(queue)))

    @rule()
    def rebuild(self) -> None:
        """A rebuild replaces the read model."""
        self._run(self._rebuild(swap=True))

    @rule()
    def come_to_rest(self) -> None:
        """After all deliveries, the log, the read shards and a rebuild agree with the model."""
        head = self._run(assert_log_is_whole(self._log.owner))
        for partition, projector in enumerate(self._projectors):
            self._run(projector.project([EventBatch(head, head, [])]))
            self._queues[partition].clear()
        self._published = head
        rows = [row for shard in self._shards for row in self._run(self._wallets(shard))]
        assert {row[0]: row[1:] for row in rows} == {
            name: (self._model.currency[name], status, self._model.balance[name], self._model.version[name])
            for name, status in self._model.status.items()
        }
        assert self._run(self._rebuild(swap=False)) == []
        self.rests += 1

    @invariant()
    def conserves(self) -> None:
        """In the model, wallets and external account sum to zero, and no wallet is negative."""
        for currency, external in self._model.external.items():
            held = [b for name, b in self._model.balance.items() if self._model.currency[name] == currency]
            assert sum(held) + external == 0
            assert min(held) >= 0

    async def _wallets(self, shard: DatabaseUrls) -> list[tuple[object, ...]]:
        sql = "SELECT account_id, currency, status, balance_micros, version FROM read_model.wallets"
        return [tuple(row) for row in await query(shard.owner, sql)]

    async def _rebuild(self, *, swap: bool) -> list[str]:
        async with AsyncExitStack() as opened:
            twins = [
                await opened.enter_async_context(TwinModels(n, s.owner)) for n, s in enumerate(self._shards)
            ]
            await build(self._events, twins, 3)
            if swap:
                await asyncio.gather(*(twin.swap(self._events, PARTITIONS) for twin in twins))
                return []
            compared = [await twin.compare(self._events, PARTITIONS, 5) for twin in twins]
        return [difference for comparison in compared for difference in comparison.differences]


@pytest.mark.slow
def test_random_histories_follow_the_model(
    postgres: PostgresServer, read_postgres: PostgresServer, redis_server: RedisServer
) -> None:
    """Any history conserves money, applies each command once, and leaves a correct read model."""
    histories: list[AnyHistory] = []

    def fresh() -> AnyHistory:
        shards = [read_postgres.copy_database() for _ in range(PARTITIONS)]
        histories.append(AnyHistory(postgres.copy_database(), shards, redis_server))
        return histories[-1]

    few = settings(
        max_examples=EXAMPLES,
        stateful_step_count=25,
        deadline=None,
        phases=[Phase.generate],  # because shrinking a failing history on real databases takes minutes
        derandomize="WALLET_MODEL_EXAMPLES" not in os.environ,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(fresh, settings=few)  # type: ignore[arg-type]  # a factory will do
    assert len(histories) >= EXAMPLES
    assert all(history.rests for history in histories)
