"""Drives sagas step by step. The only place of this architecture where anything is sent again."""

import asyncio
import logging
import random
from dataclasses import dataclass
from time import perf_counter, time_ns

from msgspec.msgpack import Decoder

from wallet_kernel.runtime.logs import transfer_id
from wallet_kernel.runtime.metrics import RETRIES, VISIBLE
from wallet_kernel.runtime.traces import trace_step
from wallet_saga.orchestrator.saga import DECIDED, TRANSFER_SAGA, Saga, State, evolve, resumed
from wallet_saga.orchestrator.shard_client import OutcomeUnknown, Overloaded, ShardClient, ShardUnavailable
from wallet_saga.orchestrator.shards import Shards
from wallet_saga.protocol import OpenSagas, Outcome, Step, TransferRecord

BACKOFF_FIRST_S = 0.02
BACKOFF_MAX_S = 0.5

SETTLED_MAX = 500
"""Transfers of a wallet that are driven at once before it is closed."""

_RECORDS = Decoder(list[TransferRecord])

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Attempt:
    """What is known of a request while a step has no outcome: whether anything of it may be done."""

    may_be_done: bool = False


@dataclass(slots=True)
class Drive:
    """A saga being driven, for a caller whose deadline may cut the drive short."""

    saga: Saga
    attempt: Attempt


class Coordinator:
    """Performs the saga's steps at their participants."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def decide(self, drive: Drive) -> Saga:
        """Drives a saga until its client can be answered, for as long as the caller lets it.

        What remains to be done after the decision is sent off without waiting for it.
        """
        transfer_id.set(drive.saga.transfer_id)
        while drive.saga.state not in DECIDED:
            step = TRANSFER_SAGA[drive.saga.state]
            drive.attempt = Attempt(may_be_done=drive.saga.state is not State.STARTED)
            message = step.message(drive.saga)
            begin, begin_ns = perf_counter(), time_ns()
            outcome = await self.perform(step.participant(drive.saga), message, drive.attempt)
            trace_step(type(message).__name__, (drive.saga.transfer_id,), begin_ns)
            if drive.saga.state is State.DEBITED:  # so far the money was in neither wallet
                VISIBLE.observe(perf_counter() - begin)
            drive.saga = evolve(drive.saga, outcome)
        if drive.saga.state is State.CREDITED:
            self._complete(drive.saga)
        return drive.saga

    async def perform(self, account_id: str, message: Step, attempt: Attempt) -> Outcome:
        """A step's outcome; sends it again, with backoff and jitter, until there is one. The caller sets the limit.

        Raises Overloaded at once if a queue is full and nothing of the request may be done.
        """
        shard = self._shards.of_account(account_id)
        backoff_s = BACKOFF_FIRST_S
        while True:
            try:
                return await _sent(shard, message, attempt)
            except Overloaded:
                if not attempt.may_be_done:
                    raise
            except ShardUnavailable:
                pass
            except OutcomeUnknown:
                attempt.may_be_done = True
            RETRIES.inc()
            await asyncio.sleep(random.uniform(0, backoff_s))
            backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)

    async def settle(self, account_id: str) -> None:
        """Drives the open transfers of a payer to their decision, whoever began them; then their ends are on the way.

        Raises ShardUnavailable or OutcomeUnknown if the wallet's shard does not say which they are.
        """
        asked = OpenSagas(account_id, SETTLED_MAX)
        sagas = await self._shards.of_account(account_id).ask("/open-sagas", asked, _RECORDS)
        await asyncio.gather(*(self.decide(Drive(resumed(saga), Attempt())) for saga in sagas))

    def _complete(self, saga: Saga) -> None:
        """Off the client's path. If it fails, recovery finds the saga and completes it."""
        step = TRANSFER_SAGA[saga.state]
        try:
            future = self._shards.of_account(step.participant(saga)).submit(step.message(saga))
        except ShardUnavailable as unavailable:
            _left_to_recovery(saga, unavailable)
        else:
            future.add_done_callback(lambda done: _left_to_recovery(saga, done.exception()))


async def _sent(shard: ShardClient, message: Step, attempt: Attempt) -> Outcome:
    """What comes of sending a step once. Raises ShardUnavailable or OutcomeUnknown."""
    future = shard.submit(message)
    try:
        return await future
    except asyncio.CancelledError:  # the request ends; a step that still waited is withdrawn
        attempt.may_be_done |= future.is_taken
        raise


def _left_to_recovery(saga: Saga, error: BaseException | None) -> None:
    if error is not None:
        _log.warning("saga left to recovery", extra={"transfer": saga.transfer_id, "cause": repr(error)})
