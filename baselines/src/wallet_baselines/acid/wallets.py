"""Each write is one transaction on one Postgres."""

import asyncio
from collections.abc import Sequence
from itertools import chain

from asyncpg import UniqueViolationError

from wallet_baselines.records import MoveMoney, Outcome
from wallet_baselines.store import Store
from wallet_baselines.wallets import NothingDone
from wallet_kernel.contract.responses import WalletView
from wallet_kernel.refusals import Refusal

ATTEMPTS_MAX = 3
"""Attempts of one command. Another transaction can take the same wallet name or idempotency key once; the next attempt
then finds that row."""


class AcidWallets(Store):
    """The use cases on one database. The store has the reads."""

    async def move(self, command: MoveMoney) -> Outcome:
        """Carries out a command in one transaction."""
        [outcome] = await self.move_all([command])
        return outcome

    async def move_all(self, commands: Sequence[MoveMoney]) -> list[Outcome]:
        """Carries out commands in one transaction. The unique keys decide races that no row lock decides."""
        accounts = set(chain.from_iterable(command.accounts for command in commands))
        keys = [(command.owner, command.key) for command in commands if command.key]
        async with asyncio.timeout(self._deadline_s):
            for _ in range(ATTEMPTS_MAX):
                try:
                    async with self.transaction(accounts, keys) as batch:
                        transfers = [batch.move(command) for command in commands]
                    return list(map(Outcome, transfers))
                except UniqueViolationError:
                    continue
        raise NothingDone(NothingDone.__doc__)

    async def set_frozen(self, account_id: str, *, frozen: bool) -> WalletView | Refusal:
        """Freezes or unfreezes a wallet."""
        async with self.transaction([account_id]) as batch:
            return batch.set_frozen(account_id, frozen=frozen)

    async def close(self, account_id: str) -> WalletView | Refusal:
        """Closes an empty wallet permanently."""
        async with self.transaction([account_id]) as batch:
            return batch.close(account_id)
