"""Routes each use case to its shard, and coordinates the two-phase commit of transfers between shards."""

import asyncio
from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from typing import Self
from uuid import UUID

import asyncpg

from wallet_baselines.acid.wallets import ATTEMPTS_MAX
from wallet_baselines.batch import Batch
from wallet_baselines.records import Entry, MoveMoney, Outcome, Status, Transfer
from wallet_baselines.settings import TwoPhaseSettings
from wallet_baselines.store import load
from wallet_baselines.two_phase.participant import Participant
from wallet_baselines.two_phase.recovery import Recovery
from wallet_baselines.two_phase.shares import joined, share
from wallet_baselines.wallets import NothingDone
from wallet_kernel.contract.responses import WalletView
from wallet_kernel.database import DATABASE_ERRORS
from wallet_kernel.deadlines import Deadlines
from wallet_kernel.ids import slot_of_transaction
from wallet_kernel.refusals import Refusal
from wallet_kernel.tasks import background
from wallet_kernel.topology import Placement, Topology

Sides = dict[Participant, asyncpg.Connection]
"""The two shards of a transfer in the order of their numbers, each with the coordinator's connection."""


class NotYetVisible(Exception):
    """The decision is durable, but a shard did not confirm its commit."""

    def __init__(self, transfer: Transfer) -> None:
        super().__init__(str(transfer.transaction_id))
        self.transfer = transfer


class TwoPhaseWallets:
    """The use cases on one database per shard."""

    def __init__(self, settings: TwoPhaseSettings) -> None:
        urls = [url.get_secret_value() for url in settings.database_urls]
        self._topology = Topology.even(len(urls))
        self._deadlines = Deadlines(settings.deadline_s)
        self.shards = [Participant(url, Placement(n, self._topology), settings) for n, url in enumerate(urls)]
        self.pings = {name: ping for shard in self.shards for name, ping in shard.pings.items()}
        self.recovery = Recovery(self._topology, self.shards, settings.in_doubt_s)
        self._recovering = partial(self.recovery.run, settings.recovery_interval_s)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for shard in self.shards:
            await self._open.enter_async_context(shard)
        await self._open.enter_async_context(background(self._recovering()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def move(self, command: MoveMoney) -> Outcome:
        """Carries out a command: in one transaction within a shard, else with two-phase commit."""
        shards = sorted({self._topology.shard_of(account) for account in command.accounts})
        if len(shards) == 1:
            return await self.shards[shards[0]].move(command)
        try:
            transfer = await self._move_between([self.shards[number] for number in shards], command)
        except NotYetVisible as late:
            return Outcome(late.transfer, pending=True)
        is_first = transfer.transaction_id == command.transaction_id
        return Outcome(transfer) if is_first else await self._outcome(transfer)

    async def set_status(self, account_id: str, status: Status) -> WalletView | Refusal:
        """Freezes or unfreezes a wallet, or closes an empty one permanently."""
        return await self._of(account_id).set_status(account_id, status)

    async def balance(self, account_id: str) -> WalletView | None:
        """Returns a wallet, or None."""
        return await self._of(account_id).balance(account_id)

    async def balance_at(self, account_id: str, at: datetime) -> tuple[datetime, WalletView | None]:
        """Returns the database's time and the wallet at moment `at`, or None if it did not exist yet."""
        return await self._of(account_id).balance_at(account_id, at)

    async def statement(self, account_id: str, limit: int, before_version: int | None) -> list[Entry]:
        """Returns up to `limit` postings below a version, newest first."""
        return await self._of(account_id).statement(account_id, limit, before_version)

    async def transfer(self, transaction_id: UUID) -> Outcome | None:
        """Returns the outcome of a command, or None if it was not carried out and never will be."""
        shard = self.shards[self._topology.owners[slot_of_transaction(transaction_id)]]
        found = await shard.transfer(transaction_id)
        return found and await self._outcome(found.transfer)

    def _of(self, account_id: str) -> Participant:
        return self.shards[self._topology.shard_of(account_id)]

    async def _outcome(self, transfer: Transfer) -> Outcome:
        """Returns the outcome of an earlier transfer. It is pending while a shard has not committed its share."""
        shards = {self._of(account) for account in (transfer.from_account, transfer.to_account)}
        if transfer.kind != "transfer" or transfer.reason or len(shards) == 1:
            return Outcome(transfer)
        pending = [await shard.is_prepared(transfer.transaction_id) for shard in shards]
        return Outcome(transfer, any(pending))

    async def _move_between(self, shards: list[Participant], command: MoveMoney) -> Transfer:
        async with self._deadlines.begin():
            for _ in range(ATTEMPTS_MAX):
                try:
                    async with AsyncExitStack() as stack:
                        sides = {
                            shard: await stack.enter_async_context(shard.connection()) for shard in shards
                        }
                        return await self._coordinate(sides, command)
                except asyncpg.UniqueViolationError:  # another command with the key was decided first
                    continue
        raise NothingDone(NothingDone.__doc__)

    async def _coordinate(self, sides: Sides, command: MoveMoney) -> Transfer:
        """Carries out a transfer between shards, or returns the first transfer with its idempotency key."""
        payers = self._of(command.from_account)
        batch = await self._lock(sides, command)
        transfer = batch.move(command)
        if not batch.entries:  # refused, or decided before
            await _on_both(sides, lambda _, connection: connection.execute("ROLLBACK"))
            if batch.decided:
                await payers.decide(sides[payers], transfer)
            return transfer
        await _on_both(sides, lambda shard, connection: self._prepare(shard, connection, batch, transfer))
        await payers.decide(sides[payers], transfer)
        try:
            await _on_both(
                sides,
                lambda shard, connection: shard.finish(connection, transfer.transaction_id, "commit"),
            )
        except (CancelledError, *DATABASE_ERRORS) as error:
            raise NotYetVisible(transfer) from error
        return transfer

    async def _lock(self, sides: Sides, command: MoveMoney) -> Batch:
        """Locks both wallets in the order of their shards, so that transfers never deadlock across shards."""
        parts = []
        for shard, connection in sides.items():
            accounts = [account for account in command.accounts if self._of(account) is shard]
            keys = [(command.owner, command.key)] if command.key and command.owner in accounts else []
            await connection.execute("BEGIN")
            parts.append(await load(connection, accounts, keys))
        return joined(*parts)

    async def _prepare(
        self, shard: Participant, connection: asyncpg.Connection, batch: Batch, transfer: Transfer
    ) -> None:
        accounts = {account for account in batch.changed if self._of(account) is shard}
        await shard.prepare(connection, share(batch, accounts), transfer.transaction_id)


async def _on_both(
    sides: Sides, action: Callable[[Participant, asyncpg.Connection], Awaitable[object]]
) -> None:
    """Runs an action on both shards at the same time. Raises the first error after both have ended."""
    actions = (action(shard, connection) for shard, connection in sides.items())
    for result in await asyncio.gather(*actions, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
