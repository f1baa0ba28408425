"""Turns a request into a command, and submits it until its outcome is known. Only this module retries commands."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from msgspec.structs import replace

from wallet_cqrs.command.batch_writer import NOT_DONE, BatchWriter
from wallet_cqrs.domain.commands import Deposit, OpenWallet, TransferMoney, Withdraw
from wallet_cqrs.domain.decisions import Refused
from wallet_cqrs.domain.submissions import (
    Decided,
    KeyReused,
    MoneyCommand,
    NotDone,
    NotLoaded,
    Outcome,
    StatusChanged,
    StatusCommand,
    Submission,
    Unknown,
    movement,
)
from wallet_kernel.attempt import Attempt, NoOutcome
from wallet_kernel.backoff import Backoff
from wallet_kernel.batcher import QueueFull
from wallet_kernel.contract.requests import CashRequest, TransferRequest, WalletRequest
from wallet_kernel.deadlines import Deadlines
from wallet_kernel.idempotency import fingerprint
from wallet_kernel.ids import new_transaction_id
from wallet_kernel.runtime.metrics import RETRIES
from wallet_kernel.runtime.traces import TracedTransaction

BACKOFF_FIRST_S = 0.02
BACKOFF_MAX_S = 0.5


@dataclass(slots=True)
class LoadingAttempt(Attempt):
    """Also records whether the wallets of the command were not in memory yet."""

    is_loading: bool = False


class StillLoading(NoOutcome):
    """The wallets of the command were not in memory before the deadline. Nothing was done."""


class Payments:
    """Changes wallets. Each operation has a deadline in seconds."""

    def __init__(self, writer: BatchWriter, deadline_s: float) -> None:
        self._writer = writer
        self._deadlines = Deadlines(deadline_s)

    async def transfer(self, request: TransferRequest, key: str | None) -> tuple[UUID, Decided | KeyReused]:
        """Transfers money between wallets; returns transaction id and decision. Raises NoOutcome, QueueFull."""
        payer, payee, micros = request.from_account, request.to_account, request.amount_micros
        command = TransferMoney(payer, payee, micros, request.currency)
        meaning = fingerprint(key, "transfer", payee, micros, request.currency)
        return await self._move(command, payer, key, meaning)

    async def open_wallet(self, request: WalletRequest, key: str | None) -> tuple[UUID, Decided | KeyReused]:
        """Opens a wallet; returns transaction id and decision. Raises NoOutcome, QueueFull."""
        account_id, micros = request.account_id, request.balance_micros
        command = OpenWallet(account_id, micros, request.currency)
        return await self._move(
            command, account_id, key, fingerprint(key, "opening", micros, request.currency)
        )

    async def deposit(self, request: CashRequest, key: str | None) -> tuple[UUID, Decided | KeyReused]:
        """Deposits money; returns transaction id and decision. Raises NoOutcome, QueueFull."""
        account_id, micros = request.account_id, request.amount_micros
        command = Deposit(account_id, micros, request.currency)
        return await self._move(
            command, account_id, key, fingerprint(key, "deposit", micros, request.currency)
        )

    async def withdraw(self, request: CashRequest, key: str | None) -> tuple[UUID, Decided | KeyReused]:
        """Withdraws money; returns transaction id and decision. Raises NoOutcome, QueueFull."""
        account_id, micros = request.account_id, request.amount_micros
        command = Withdraw(account_id, micros, request.currency)
        return await self._move(
            command, account_id, key, fingerprint(key, "withdrawal", micros, request.currency)
        )

    async def change_status(self, command: StatusCommand) -> StatusChanged | Refused:
        """Changes a wallet's status; returns the wallet or the refusal. Raises NoOutcome, QueueFull."""
        outcome = await self._within_deadline(command, None)
        assert isinstance(outcome, StatusChanged | Refused), outcome
        return outcome

    async def _move(
        self, command: MoneyCommand, payer: str, key: str | None, meaning: bytes | None
    ) -> tuple[UUID, Decided | KeyReused]:
        transaction_id = new_transaction_id(payer)
        submission = Submission(command, transaction_id, key, meaning)
        with TracedTransaction(movement(command).kind, transaction_id):
            outcome = await self._within_deadline(submission, transaction_id)
        assert isinstance(outcome, Decided | KeyReused), outcome
        return transaction_id, outcome

    async def _within_deadline(
        self, item: Submission | StatusCommand, transaction_id: UUID | None
    ) -> Outcome:
        attempt = LoadingAttempt()
        try:
            async with self._deadlines.begin():
                return await self._until_known(item, attempt)
        except TimeoutError:
            is_loading = attempt.is_loading and not attempt.may_be_done
            error = StillLoading if is_loading else NoOutcome
            raise error(transaction_id, may_be_done=attempt.may_be_done) from None

    async def _until_known(self, item: Submission | StatusCommand, attempt: LoadingAttempt) -> Outcome:
        backoff = Backoff(BACKOFF_FIRST_S, BACKOFF_MAX_S)
        while True:
            outcome = await self._send(item, attempt)
            if not isinstance(outcome, NotDone | NotLoaded | Unknown):
                return outcome
            if isinstance(item, Submission) and attempt.may_be_done:
                item = replace(item, resent=True)
            RETRIES.inc()
            await backoff.pause()

    async def _send(self, item: Submission | StatusCommand, attempt: LoadingAttempt) -> Outcome:
        """Submits a command once. Raises QueueFull if the queue is full and no earlier attempt may be done."""
        try:
            future = self._writer.submit(item)
        except QueueFull:
            if not attempt.may_be_done:
                raise
            return NOT_DONE  # this attempt was not done, but an earlier one may be
        try:
            outcome = await future
        except asyncio.CancelledError:  # the request ends; a command that is still queued is withdrawn
            attempt.may_be_done |= future.is_taken
            raise
        attempt.may_be_done |= isinstance(outcome, Unknown)
        attempt.is_loading = isinstance(outcome, NotLoaded)
        return outcome
