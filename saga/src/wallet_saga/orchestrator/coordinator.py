"""Drives sagas step by step. Only this module retries commands, with backoff and jitter."""

import asyncio
import logging
from dataclasses import dataclass
from time import perf_counter, time_ns

from msgspec.msgpack import Decoder

from wallet_kernel.attempt import Attempt
from wallet_kernel.backoff import Backoff
from wallet_kernel.runtime.logs import transaction_id
from wallet_kernel.runtime.metrics import RETRIES, VISIBLE
from wallet_kernel.runtime.traces import trace_step
from wallet_saga.domain.commands import Outcome, TransferRecord, WalletCommand, command_name
from wallet_saga.domain.saga import DECIDED, TRANSFER_SAGA, Saga, State, evolve, resumed
from wallet_saga.messages import OpenSagas
from wallet_saga.orchestrator.shard_client import OutcomeUnknown, Overloaded, Shards, ShardUnavailable

BACKOFF_FIRST_S = 0.02
BACKOFF_MAX_S = 0.5

SETTLED_MAX = 500
"""Open transfers that one close request drives to a decision at the same time."""

_RECORDS = Decoder(list[TransferRecord])

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Drive:
    """The progress of a saga. It stays readable if the caller's deadline cancels `Coordinator.decide`."""

    saga: Saga
    attempt: Attempt


class Coordinator:
    """Sends the saga's steps to their participants and retries them."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def is_local(self, from_account: str, to_account: str) -> bool:
        """Returns whether one shard has both wallets, so that one command is the whole transfer."""
        return self._shards.of_account(from_account) is self._shards.of_account(to_account)

    async def decide(self, drive: Drive) -> Saga:
        """Drives a saga until it is decided. The caller sets the deadline.

        If the credit is done, queues CompleteTransfer for the payer's shard and does not wait for it.
        """
        transaction_id.set(drive.saga.transaction_id)
        while drive.saga.state not in DECIDED:
            command = TRANSFER_SAGA[drive.saga.state].command(drive.saga)
            drive.attempt.may_be_done = drive.saga.state is not State.STARTED
            begin, begin_ns = perf_counter(), time_ns()
            outcome = await self.perform(command, drive.attempt)
            trace_step(command_name(type(command)), (drive.saga.transaction_id,), begin_ns)
            if drive.saga.state is State.DEBITED:  # from the debit to here, the money was in neither wallet
                VISIBLE.observe(perf_counter() - begin)
            drive.saga = evolve(drive.saga, outcome)
        if drive.saga.state is State.CREDITED:
            self._complete(drive.saga)
        return drive.saga

    async def perform(self, command: WalletCommand, attempt: Attempt) -> Outcome:
        """Sends a command until it has an outcome, with backoff and jitter. The caller sets the deadline.

        Raises Overloaded immediately if a queue is full and no part of the request may have been done.
        """
        shard = self._shards.of_account(command.account_id)
        backoff = Backoff(BACKOFF_FIRST_S, BACKOFF_MAX_S)
        while True:
            try:
                pending = shard.submit(command)
                return await pending
            except asyncio.CancelledError:  # at the deadline; a command that no batch has taken is dropped
                attempt.may_be_done |= pending.is_taken
                raise
            except Overloaded:
                if not attempt.may_be_done:
                    raise
            except ShardUnavailable:
                pass
            except OutcomeUnknown:
                attempt.may_be_done = True
            RETRIES.inc()
            await backoff.pause()

    async def settle(self, account_id: str) -> None:
        """Drives the open transfers of a payer to their decision, also those that other orchestrators began.

        CompleteTransfer is then queued for each credited transfer. Raises ShardUnavailable or OutcomeUnknown if the
        payer's worker does not return its open transfers.
        """
        asked = OpenSagas(account_id, SETTLED_MAX)
        sagas = await self._shards.of_account(account_id).ask("/open-sagas", asked, _RECORDS)
        await asyncio.gather(*(self.decide(Drive(resumed(saga), Attempt())) for saga in sagas))

    def _complete(self, saga: Saga) -> None:
        """Queues CompleteTransfer behind the other commands. If it fails, recovery completes the saga."""
        command = TRANSFER_SAGA[saga.state].command(saga)
        try:
            future = self._shards.of_account(command.account_id).submit_later(command)
        except ShardUnavailable as unavailable:
            _left_to_recovery(saga, unavailable)
        else:
            future.add_done_callback(lambda done: _left_to_recovery(saga, done.exception()))


def _left_to_recovery(saga: Saga, error: BaseException | None) -> None:
    if error is not None:
        _log.warning("saga left to recovery", extra={"transfer": saga.transaction_id, "cause": repr(error)})
