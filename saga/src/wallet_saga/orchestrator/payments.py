"""The write use cases. A transfer becomes a saga; a request that concerns one shard becomes a single step."""

import asyncio
from uuid import UUID

from wallet_kernel.attempt import Attempt, NoOutcome
from wallet_kernel.contract.requests import CashRequest, TransferRequest, WalletRequest
from wallet_kernel.idempotency import fingerprint
from wallet_kernel.ids import new_transaction_id
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.traces import TracedTransaction
from wallet_saga.domain.saga import Saga
from wallet_saga.messages import Close, Deposit, InFlight, Open, Outcome, Pass, Refused, Step, Withdraw
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

    async def transfer(self, request: TransferRequest, key: str | None) -> Saga:
        """Transfers money and returns the decided saga.

        Raises Undecided at the deadline; recovery then decides the saga if its debit was done.
        Raises Overloaded if a queue is full and nothing was done.
        """
        saga = Saga(
            new_transaction_id(request.from_account),
            request.from_account,
            request.to_account,
            request.amount_micros,
            request.currency,
            key,
            fingerprint(key, "transfer", request.to_account, request.amount_micros, request.currency),
        )
        drive = Drive(saga, Attempt())
        try:
            with TracedTransaction("transfer", saga.transfer_id):
                async with asyncio.timeout(self._deadline_s):
                    return await self._coordinator.decide(drive)
        except TimeoutError:
            raise Undecided(drive) from None

    async def open_wallet(self, request: WalletRequest, key: str | None) -> tuple[UUID, Outcome]:
        """Opens a wallet and returns the id of the opening and the outcome. Raises NoOutcome at the deadline."""
        transaction_id = new_transaction_id(request.account_id)
        meaning = fingerprint(key, "opening", request.balance_micros, request.currency)
        step = Open(
            transaction_id, request.account_id, request.balance_micros, request.currency, key, meaning
        )
        with TracedTransaction("opening", transaction_id):
            return transaction_id, await self.perform(request.account_id, step, transaction_id)

    async def deposit(self, request: CashRequest, key: str | None) -> tuple[UUID, Outcome]:
        """Deposits money and returns the deposit's id and the outcome. Raises NoOutcome at the deadline."""
        return await self._cash(Deposit, "deposit", request, key)

    async def withdraw(self, request: CashRequest, key: str | None) -> tuple[UUID, Outcome]:
        """Withdraws money and returns the withdrawal's id and the outcome. Raises NoOutcome at the deadline."""
        return await self._cash(Withdraw, "withdrawal", request, key)

    async def close_wallet(self, account_id: str) -> Outcome:
        """Closes a wallet and returns the closed wallet or the refusal. Raises NoOutcome at the deadline.

        If only money in flight keeps the wallet open, decides its transfers and tries again. An acknowledged transfer
        must not keep the wallet open, but its Complete may still be queued in any orchestrator, or be lost.
        """
        deadline = self._deadline()
        while isinstance(outcome := await self._perform(account_id, Close(account_id), deadline), InFlight):
            try:
                async with asyncio.timeout_at(deadline):
                    await self._coordinator.settle(account_id)
            except TimeoutError:
                return Refused(Refusal.WALLET_NOT_EMPTY)
        return outcome

    async def perform(self, account_id: str, step: Step, transaction_id: UUID | None = None) -> Outcome:
        """Performs one step at one shard and returns its outcome. Raises NoOutcome at the deadline."""
        return await self._perform(account_id, step, self._deadline(), transaction_id)

    async def passed(self, shard: ShardClient) -> None:
        """Returns once the shard has decided every step that was sent to it earlier.

        Raises ShardUnavailable or OutcomeUnknown, also at the deadline.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                await shard.submit(Pass())
        except TimeoutError:
            raise ShardUnavailable(f"{shard.name} has not decided the earlier steps in time") from None

    async def _perform(
        self, account_id: str, step: Step, deadline: float, transaction_id: UUID | None = None
    ) -> Outcome:
        attempt = Attempt()
        try:
            async with asyncio.timeout_at(deadline):
                return await self._coordinator.perform(account_id, step, attempt)
        except TimeoutError:
            raise NoOutcome(transaction_id, may_be_done=attempt.may_be_done) from None

    def _deadline(self) -> float:
        """Returns the deadline of a request that begins now, in seconds of the event loop's clock."""
        return asyncio.get_running_loop().time() + self._deadline_s

    async def _cash(
        self, step: type[Deposit] | type[Withdraw], name: str, request: CashRequest, key: str | None
    ) -> tuple[UUID, Outcome]:
        transaction_id = new_transaction_id(request.account_id)
        meaning = fingerprint(key, name, request.amount_micros, request.currency)
        message = step(
            transaction_id, request.account_id, request.amount_micros, request.currency, key, meaning
        )
        with TracedTransaction(name, transaction_id):
            return transaction_id, await self.perform(request.account_id, message, transaction_id)
