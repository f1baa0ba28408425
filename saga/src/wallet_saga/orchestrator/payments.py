"""The use cases: a request becomes a saga, or a single step where only one shard is concerned."""

import asyncio
from uuid import UUID

from wallet_kernel.contract.requests import CashRequest, TransferRequest, WalletRequest
from wallet_kernel.idempotency import fingerprint
from wallet_kernel.ids import new_transaction_id
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.traces import TracedTransaction
from wallet_saga.orchestrator.coordinator import Attempt, Coordinator, Drive
from wallet_saga.orchestrator.saga import Saga
from wallet_saga.orchestrator.shard_client import ShardClient, ShardUnavailable
from wallet_saga.protocol import Close, Deposit, InFlight, Open, Outcome, Pass, Refused, Step, Withdraw


class Undecided(Exception):
    """The deadline came first; `drive` says how far the saga is known to be."""

    def __init__(self, drive: Drive) -> None:
        super().__init__(drive.saga.state.name)
        self.drive = drive


class NoOutcome(Exception):
    """The deadline came first; `may_be_done` tells whether the step was ever on its way."""

    def __init__(self, transaction_id: UUID | None, *, may_be_done: bool) -> None:
        super().__init__(str(transaction_id))
        self.transaction_id = transaction_id
        self.may_be_done = may_be_done


class Payments:
    """Everything that changes a wallet, within a deadline in seconds."""

    def __init__(self, coordinator: Coordinator, deadline_s: float) -> None:
        self._coordinator = coordinator
        self._deadline_s = deadline_s

    async def transfer(self, request: TransferRequest, key: str | None) -> Saga:
        """A decided saga. Raises Undecided at the deadline; recovery decides it then."""
        saga = Saga(
            new_transaction_id(request.from_account),
            request.from_account,
            request.to_account,
            request.amount_micros,
            request.currency,
            key,
            _fingerprint(key, "transfer", request.to_account, request.amount_micros, request.currency),
        )
        drive = Drive(saga, Attempt())
        try:
            with TracedTransaction("transfer", saga.transfer_id):
                async with asyncio.timeout(self._deadline_s):
                    return await self._coordinator.decide(drive)
        except TimeoutError:
            raise Undecided(drive) from None

    async def open_wallet(self, request: WalletRequest, key: str | None) -> tuple[UUID, Outcome]:
        """A new wallet: the id of its opening, and the outcome. Raises NoOutcome at the deadline."""
        transaction_id = new_transaction_id(request.account_id)
        meaning = _fingerprint(key, "opening", request.balance_micros, request.currency)
        step = Open(
            transaction_id, request.account_id, request.balance_micros, request.currency, key, meaning
        )
        with TracedTransaction("opening", transaction_id):
            return transaction_id, await self.perform(request.account_id, step, transaction_id)

    async def deposit(self, request: CashRequest, key: str | None) -> tuple[UUID, Outcome]:
        """Money from outside: its id and the outcome. Raises NoOutcome at the deadline."""
        return await self._cash(Deposit, "deposit", request, key)

    async def withdraw(self, request: CashRequest, key: str | None) -> tuple[UUID, Outcome]:
        """Money to outside: its id and the outcome. Raises NoOutcome at the deadline."""
        return await self._cash(Withdraw, "withdrawal", request, key)

    async def close_wallet(self, account_id: str) -> Outcome:
        """A closed wallet, or why it stays open. Raises NoOutcome at the deadline.

        An acknowledged transfer does not keep a wallet open, although its Complete may still be in the queue of any
        orchestrator or lost with it. So while only money in flight is in the way, its transfers are decided first.
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
        """One step at one shard. Raises NoOutcome at the deadline."""
        return await self._perform(account_id, step, self._deadline(), transaction_id)

    async def passed(self, shard: ShardClient) -> None:
        """Returns once what this shard was sent before has been decided. Raises ShardUnavailable or OutcomeUnknown."""
        try:
            async with asyncio.timeout(self._deadline_s):
                await shard.submit(Pass())
        except TimeoutError:
            raise ShardUnavailable("it has not decided yet what it was sent before") from None

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
        """The deadline of a request that begins now, by the clock of the event loop."""
        return asyncio.get_running_loop().time() + self._deadline_s

    async def _cash(
        self, step: type[Deposit] | type[Withdraw], name: str, request: CashRequest, key: str | None
    ) -> tuple[UUID, Outcome]:
        transaction_id = new_transaction_id(request.account_id)
        meaning = _fingerprint(key, name, request.amount_micros, request.currency)
        message = step(
            transaction_id, request.account_id, request.amount_micros, request.currency, key, meaning
        )
        with TracedTransaction(name, transaction_id):
            return transaction_id, await self.perform(request.account_id, message, transaction_id)


def _fingerprint(key: str | None, operation: str, *fields: str | int) -> bytes | None:
    return fingerprint(operation, *fields) if key is not None else None
