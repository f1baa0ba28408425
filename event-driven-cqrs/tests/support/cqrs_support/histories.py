"""Random valid logs of events, and the batches that a relay would publish."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from wallet_cqrs.domain.commands import (
    Command,
    Deposit,
    FreezeWallet,
    OpenWallet,
    TransferMoney,
    UnfreezeWallet,
    Withdraw,
)
from wallet_cqrs.domain.decisions import Refused, decide
from wallet_cqrs.domain.wallet import Wallet, evolve, initial_state
from wallet_cqrs.events import encode
from wallet_cqrs.messages import EventBatch, EventMessage, partition_of
from wallet_cqrs.projection.event_batches import ContiguousEvents, follow
from wallet_cqrs.projection.store import Store
from wallet_cqrs.read_model import Fold
from wallet_kernel.ids import new_transaction_id
from wallet_lab.testing import DatabaseUrls

BEGIN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class RandomLog:
    """A log that grows by commands. Refused commands add nothing."""

    def __init__(self, seed: int = 0) -> None:
        self.events: list[EventMessage] = []
        self.wallets: dict[str, Wallet] = {}
        self._random = random.Random(seed)

    def do(self, command: Command) -> None:
        """Appends the events of a command."""
        decision = decide(self.wallet, command)
        if isinstance(decision, Refused):
            return
        moves = not isinstance(command, FreezeWallet | UnfreezeWallet)
        transaction_id = new_transaction_id("any") if moves else None
        for account, event in decision:
            position = len(self.events) + 1
            at = BEGIN + timedelta(milliseconds=position)
            after = self.wallets[account] = evolve(self.wallet(account), event, at)
            name, schema, data = encode(event)
            self.events.append(
                EventMessage(position, account, after.version, name, schema, transaction_id, data, at)
            )

    def wallet(self, account: str) -> Wallet:
        """Returns the current state of a wallet."""
        return self.wallets.get(account) or initial_state(account)

    def grow(self, accounts: Sequence[str], commands: int) -> None:
        """Opens these wallets and applies random commands to them."""
        for account in accounts:
            self.do(OpenWallet(account, self._random.choice([0, 10**9]), "USD"))
        for _ in range(commands):
            self.do(self._any_command(accounts))

    def _any_command(self, accounts: Sequence[str]) -> Command:
        payer, payee = self._random.sample(accounts, 2)
        amount = self._random.randrange(1, 10**6)
        return self._random.choices(
            [
                TransferMoney(payer, payee, amount, "USD"),
                Deposit(payer, amount, "USD"),
                Withdraw(payer, amount, "USD"),
                FreezeWallet(payer),
                UnfreezeWallet(payer),
            ],
            weights=[20, 3, 3, 1, 3],
        )[0]


def random_log(commands: int = 200, wallets: int = 10, seed: int = 0) -> RandomLog:
    """Builds a random log of some wallets."""
    written = RandomLog(seed)
    written.grow([f"w{seed}-{number}" for number in range(wallets)], commands)
    return written


def wallet_rows(written: RandomLog, partition: int, partitions: int = 2) -> list[tuple[object, ...]]:
    """Returns the expected rows of a partition's table `wallets`, by account."""
    mine = (w for w in written.wallets.values() if partition_of(w.account_id, partitions) == partition)
    return sorted(
        (w.account_id, w.currency, w.status, w.balance_micros, w.version, w.updated_at) for w in mine
    )


def batches(
    events: Sequence[EventMessage], partition: int, partitions: int = 2, size: int = 7
) -> list[EventBatch]:
    """Returns the batches that a relay publishes to one partition, with `size` events in a batch."""
    made = []
    for begin in range(0, len(events), size):
        chunk = events[begin : begin + size]
        mine = [event for event in chunk if partition_of(event.stream_id, partitions) == partition]
        made.append(EventBatch(chunk[0].position - 1, chunk[-1].position, mine))
    return made


async def append(url: str, events: Sequence[EventMessage]) -> None:
    """Writes events into an event store, as commands would."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.executemany(
                "INSERT INTO events (position, stream_id, version, type, schema_version, transaction_id, data, at)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                [
                    (
                        e.position,
                        e.stream_id,
                        e.version,
                        e.type,
                        e.schema_version,
                        e.transaction_id,
                        e.data,
                        e.at,
                    )
                    for e in events
                ],
            )
            await connection.execute("UPDATE log_head SET position = $1", events[-1].position)
    finally:
        await connection.close()


async def project(shard: DatabaseUrls, made: list[EventBatch]) -> None:
    """Applies a log to a read shard as the projection does, without broker, cache and event store."""
    async with Store(shard.service) as store:
        for batch in made:
            model = await store.read({event.stream_id for event in batch.events})
            following = follow(model.state.checkpoint, [batch])
            assert isinstance(following, ContiguousEvents)
            fold = Fold(model.wallets)
            fold.apply(following.events)
            await store.write(model.state, fold, following.head)
