"""Each write is one transaction on one Postgres."""

from collections.abc import Sequence

from asyncpg import UniqueViolationError

from wallet_baselines.records import MoveMoney, Outcome, Status
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
        accounts = {account for command in commands for account in command.accounts}
        keys = [(command.owner, command.key) for command in commands if command.key]
        async with self._deadlines.begin():
            for _ in range(ATTEMPTS_MAX):
                try:
                    async with self.transaction(accounts, keys) as batch:
                        transfers = [batch.move(command) for command in commands]
                    return list(map(Outcome, transfers))
                except UniqueViolationError:
                    continue
        raise NothingDone(NothingDone.__doc__)

    async def set_status(self, account_id: str, status: Status) -> WalletView | Refusal:
        """Freezes or unfreezes a wallet, or closes an empty one permanently."""
        async with self.transaction([account_id]) as batch:
            return batch.set_status(account_id, status)
