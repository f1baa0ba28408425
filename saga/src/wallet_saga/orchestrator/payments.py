"""The write use cases. A transfer becomes a saga; a request that concerns one shard becomes a single command."""

import asyncio
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from wallet_kernel.attempt import Attempt, NoOutcome
from wallet_kernel.contract.requests import CashRequest, TransferRequest, WalletRequest
from wallet_kernel.deadlines import Deadlines
from wallet_kernel.idempotency import fingerprint
from wallet_kernel.ids import new_transaction_id
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.traces import TracedTransaction
from wallet_saga.domain.commands import (
    CloseWallet,
    Deposit,
    Flush,
    InFlight,
    OpenWallet,
    Outcome,
    Payment,
    Refused,
    WalletCommand,
    Withdraw,
)
from wallet_saga.domain.saga import Saga
from wallet_saga.orchestrator.coordinator import Coordinator, Drive
from wallet_saga.orchestrator.shard_client import ShardClient, ShardUnavailable


class Undecided(Exception):
    """The saga was not decided before the deadline. `drive` holds its last known state."""

    def __init__(self, drive: Drive) -> None:
        super().__init__(drive.saga.state.name)
        self.drive = drive


class Payments:
    """The use cases that change wallets. Each one ends within `deadline_s` seconds."""

    def __init__(self, coordinator: Coordinator, deadline_s: float) -> None:
        self._coordinator = coordinator
        self._deadline_s = deadline_s
        self._deadlines = Deadlines(deadline_s)

    async def transfer(self, request: TransferRequest, key: str | None) -> Saga:
        """Transfers money and returns the decided saga.

        Raises Undecided at the deadline; recovery then decides the saga if its debit was done.
        Raises Overloaded if a queue is full and nothing was done.
        """
        saga = Saga(
            transaction_id=new_transaction_id(request.from_account),
            from_account=request.from_account,
            to_account=request.to_account,
            amount_micros=request.amount_micros,
            currency=request.currency,
            key=key,
            fingerprint=fingerprint(
                key, "transfer", request.to_account, request.amount_micros, request.currency
            ),
            is_local=self._coordinator.is_local(request.from_account, request.to_account),
        )
        drive = Drive(saga, Attempt())
        try:
            with TracedTransaction("transfer", saga.transaction_id):
                async with self._deadlines.begin():
                    return await self._coordinator.decide(drive)
        except TimeoutError:
            raise Undecided(drive) from None

    async def open_wallet(self, request: WalletRequest, key: str | None) -> tuple[UUID, Outcome]:
        """Opens a wallet and returns the id of the opening and the outcome. Raises NoOutcome at the deadline."""
        command = OpenWallet(
            transaction_id=new_transaction_id(request.account_id),
            account_id=request.account_id,
            balance_micros=request.balance_micros,
            currency=request.currency,
            key=key,
            fingerprint=fingerprint(key, "opening", request.balance_micros, request.currency),
        )
        return await self._begin("opening", command)

    async def deposit(self, request: CashRequest, key: str | None) -> tuple[UUID, Outcome]:
        """Deposits money and returns the deposit's id and the outcome. Raises NoOutcome at the deadline."""
        return await self._cash(Deposit, "deposit", request, key)

    async def withdraw(self, request: CashRequest, key: str | None) -> tuple[UUID, Outcome]:
        """Withdraws money and returns the withdrawal's id and the outcome. Raises NoOutcome at the deadline."""
        return await self._cash(Withdraw, "withdrawal", request, key)

    async def close_wallet(self, account_id: str) -> Outcome:
        """Closes a wallet and returns the closed wallet or the refusal. Raises NoOutcome at the deadline.

        If only money in flight keeps the wallet open, decides its transfers and tries again. An acknowledged transfer
        must not keep the wallet open, but its CompleteTransfer may still be queued in any orchestrator, or be lost.
        """
        command, deadline = CloseWallet(account_id), asyncio.get_running_loop().time() + self._deadline_s
        while isinstance(outcome := await self._perform(command, asyncio.timeout_at(deadline)), InFlight):
            try:
                async with asyncio.timeout_at(deadline):
                    await self._coordinator.settle(account_id)
            except TimeoutError:
                return Refused(Refusal.WALLET_NOT_EMPTY)
        return outcome

    async def perform(self, command: WalletCommand) -> Outcome:
        """Performs one command at its shard and returns its outcome. Raises NoOutcome at the deadline."""
        return await self._perform(command, self._deadlines.begin())

    async def flush(self, shard: ShardClient) -> None:
        """Returns once the shard has decided every command that was sent to it earlier.

        Raises ShardUnavailable or OutcomeUnknown, also at the deadline.
        """
        try:
            async with self._deadlines.begin():
                await shard.submit(Flush())
        except TimeoutError:
            raise ShardUnavailable(f"{shard.name} has not decided the earlier steps in time") from None

    async def _begin(self, name: str, command: Payment) -> tuple[UUID, Outcome]:
        with TracedTransaction(name, command.transaction_id):
            return command.transaction_id, await self.perform(command)

    async def _perform(
        self, command: WalletCommand, deadline: AbstractAsyncContextManager[object]
    ) -> Outcome:
        attempt = Attempt()
        try:
            async with deadline:
                return await self._coordinator.perform(command, attempt)
        except TimeoutError:
            transaction_id = command.transaction_id if isinstance(command, Payment) else None
            raise NoOutcome(transaction_id, may_be_done=attempt.may_be_done) from None

    async def _cash(
        self, kind: type[Deposit] | type[Withdraw], name: str, request: CashRequest, key: str | None
    ) -> tuple[UUID, Outcome]:
        command = kind(
            transaction_id=new_transaction_id(request.account_id),
            account_id=request.account_id,
            amount_micros=request.amount_micros,
            currency=request.currency,
            key=key,
            fingerprint=fingerprint(key, name, request.amount_micros, request.currency),
        )
        return await self._begin(name, command)
