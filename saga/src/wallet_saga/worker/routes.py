"""The worker's internal routes. They take and return MessagePack, for orchestrators that send the service secret."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from msgspec import DecodeError, Raw, ValidationError
from msgspec.msgpack import Decoder, encode
from starlette.routing import Route

from wallet_kernel.batcher import QueueFull
from wallet_kernel.bulkhead import Bulkhead, BulkheadFull
from wallet_kernel.contract.problems import Problem, invalid_request
from wallet_kernel.database import DATABASE_ERRORS
from wallet_kernel.endpoint import Endpoint
from wallet_kernel.http import CLOSE, Request, Response
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.readiness import Standby
from wallet_kernel.topology import Placement
from wallet_saga.domain.batch import CreditRecord
from wallet_saga.domain.commands import Command, NotDone, Outcome, Refused, TransferRecord, accounts_of
from wallet_saga.messages import (
    BalanceAt,
    BalanceAtAnswer,
    Claim,
    FutureMoment,
    Lookup,
    Misdirected,
    OpenSagas,
    Postings,
    Statement,
    StatementAnswer,
    shard_path,
)
from wallet_saga.worker.batch_writer import BatchWriter, NotConfirmed
from wallet_saga.worker.store import READ_CONNECTIONS_MAX, STATEMENT_TIMEOUT_S, Store

MSGPACK = b"application/msgpack"
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
READS_WAITING_MAX = 1000
"""Reads of one kind that may wait for a connection. The limit has room for the reads of several orchestrators."""

READS_MAX = 3
"""How often one request reads the database, if this worker takes over its shard during each read."""

_log = logging.getLogger(__name__)

Asked = TypeVar("Asked")
Found = TypeVar("Found")


class InternalRoutes:
    """The handlers of an orchestrator's requests."""

    def __init__(self, placement: Placement, writer: BatchWriter, store: Store) -> None:
        self._placement = placement
        self._writer = writer
        self._store = store

    def routes(self) -> list[Route]:
        """Returns the routes. Their paths name the shard and its topology; other paths of shards get 421."""
        base = shard_path(self._placement)
        lookups, statements, past = map(_bulkhead, ("lookups", "statements", "past"))
        return [
            _route(base + "/steps", self._by_writer(self.perform), Decoder(list[Command])),
            _route(base + "/claim", self._by_writer(map_errors(self.claim)), Decoder(Claim)),
            _route(base + "/open-sagas", self._by_writer(map_errors(self.open_sagas)), Decoder(OpenSagas)),
            _route(
                base + "/transfer",
                self._by_writer(map_errors(_within(lookups, self.transfer))),
                Decoder(Lookup),
            ),
            _route(
                base + "/credit", self._by_writer(map_errors(_within(lookups, self.credit))), Decoder(Lookup)
            ),
            _route(
                base + "/statement",
                self._by_writer(map_errors(_within(statements, self.statement))),
                Decoder(Statement),
            ),
            _route(
                base + "/balance-at",
                self._by_writer(map_errors(_within(past, self.balance_at))),
                Decoder(BalanceAt),
            ),
            _route("/shards/{path:path}", self.misdirected, Decoder(Raw)),
        ]

    async def misdirected(self, _: object) -> Misdirected:
        """Answers a request for another shard or topology, or a request that only the shard's writer may serve."""
        topology = self._placement.topology
        return Misdirected(self._placement.shard, topology.shards, topology.fingerprint)

    async def perform(self, commands: list[Command]) -> list[Outcome] | Misdirected:
        """Performs commands and returns their outcomes. Performs none if another shard owns one of the wallets."""
        if self._placement.foreign(account for command in commands for account in accounts_of(command)):
            return await self.misdirected(commands)
        outcomes = await self._writer.perform(commands)
        if commands and all(isinstance(outcome, NotDone) for outcome in outcomes):
            raise _out_of_reach()  # so that the orchestrator connects again, perhaps to a standby that took over
        return outcomes

    async def claim(self, claim: Claim) -> list[TransferRecord]:
        """Leases abandoned sagas to the caller.

        A standby grants none: its caller may be unable to reach the writer, and would only keep them from others.
        """
        await self._writer.confirm()
        return await self._store.claim(claim.limit, claim.lease_s, claim.expired_for_s)

    async def open_sagas(self, asked: OpenSagas) -> list[TransferRecord]:
        """Returns the unfinished sagas of a payer."""
        return await self._confirmed(lambda: self._store.open_sagas(asked.account_id, asked.limit))

    async def transfer(self, lookup: Lookup) -> TransferRecord | None:
        """Returns a transfer's row in the saga log, or None."""
        return await self._confirmed(lambda: self._store.transfer(lookup.transaction_id))

    async def credit(self, lookup: Lookup) -> CreditRecord | None:
        """Returns a transfer's row in the credit barrier, or None."""
        return await self._confirmed(lambda: self._store.credit(lookup.transaction_id))

    async def statement(self, asked: Statement) -> StatementAnswer | Misdirected:
        """Returns a page of a wallet's postings."""
        if not self._placement.owns(asked.account_id):
            return await self.misdirected(Raw())
        entries = await self._confirmed(
            lambda: self._store.statement(asked.account_id, asked.limit, asked.before_version)
        )
        if not entries and not await self._store.wallet_exists(asked.account_id):
            return Refused(Refusal.WALLET_NOT_FOUND)
        return Postings(entries)

    async def balance_at(self, asked: BalanceAt) -> BalanceAtAnswer | Misdirected:
        """Returns the state of a wallet at a past moment."""
        if not self._placement.owns(asked.account_id):
            return await self.misdirected(Raw())
        now, wallet = await self._confirmed(lambda: self._store.balance_at(asked.account_id, asked.at))
        return _past(now, asked.at, wallet)

    def _by_writer(
        self, use_case: Callable[[Asked], Awaitable[Found]]
    ) -> Callable[[Asked], Awaitable[Found | Misdirected]]:
        """Wraps the use case so that a standby answers `Misdirected`."""

        async def by_writer(request: Asked) -> Found | Misdirected:
            try:
                return await use_case(request)
            except Standby:
                return await self.misdirected(request)

        return by_writer

    async def _confirmed(self, read: Callable[[], Awaitable[Found]]) -> Found:
        """Returns the result of a read once no balance that is read afterwards can be older than the result.

        If this worker took over the shard meanwhile, reads again, because it may have read from a former primary.
        Raises what `confirm` raises.
        """
        for _ in range(READS_MAX):
            takeovers = self._store.takeovers
            found = await read()
            await self._writer.confirm()
            if self._store.takeovers == takeovers:
                return found
        raise NotConfirmed("This worker took over its shard again and again during the read.")


def _past(now: datetime, at: datetime, wallet: BalanceAtAnswer | None) -> BalanceAtAnswer:
    if at > now:
        return FutureMoment()
    return wallet or Refused(Refusal.WALLET_NOT_FOUND)


def _bulkhead(kind: str) -> Bulkhead:
    return Bulkhead(
        kind,
        running_max=READ_CONNECTIONS_MAX,
        waiting_max=READS_WAITING_MAX,
        deadline_s=STATEMENT_TIMEOUT_S,
    )


def _within(
    bulkhead: Bulkhead, use_case: Callable[[Asked], Awaitable[Found]]
) -> Callable[[Asked], Awaitable[Found]]:
    """Wraps the use case in a bulkhead. If the bulkhead is full, the request gets 503 `overloaded`."""

    async def admitted(request: Asked) -> Found:
        try:
            async with bulkhead.place():
                return await use_case(request)
        except BulkheadFull as full:
            raise Problem("overloaded", "Too many reads are waiting. Send the request again later.") from full

    return admitted


def map_errors(use_case: Callable[[Asked], Awaitable[Found]]) -> Callable[[Asked], Awaitable[Found]]:
    """Wraps the use case so that it raises `shard-unavailable` if the database is unreachable.

    Not for commands, because a 503 means that nothing was done. Each command has an outcome of its own instead.
    """

    async def mapped(request: Asked) -> Found:
        try:
            return await use_case(request)
        except (*DATABASE_ERRORS, NotConfirmed) as error:
            _log.warning("database unavailable", extra={"cause": repr(error)})
            raise _out_of_reach() from error

    return mapped


def _route(path: str, use_case: Callable[[Asked], Awaitable[object]], decoder: Decoder[Asked]) -> Route:
    async def handler(call: Request) -> Response:
        try:
            request = decoder.decode(call.body)
        except (DecodeError, ValidationError, RecursionError) as error:
            raise invalid_request(f"The message is invalid: {error}.") from error
        try:
            answer = await use_case(request)
        except QueueFull as full:
            raise Problem("overloaded", "Too many steps are waiting. Send the request again later.") from full
        if isinstance(answer, Misdirected):
            return Response(421, encode(answer), CLOSE, MSGPACK)
        return Response(200, encode(answer), content_type=MSGPACK)

    endpoint = Endpoint(path, handler, takes_body=True, body_bytes_max=MESSAGE_BYTES_MAX)
    return Route(path, endpoint, methods=["POST"])


def _out_of_reach() -> Problem:
    return Problem(
        "shard-unavailable", "The shard's database is unavailable. Send the request again.", headers=CLOSE
    )
