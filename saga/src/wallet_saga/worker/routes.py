"""The worker's internal routes: MessagePack in and out, for orchestrators that know the service secret."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from msgspec import DecodeError, ValidationError
from msgspec.msgpack import Decoder, encode
from starlette.routing import Route

from wallet_kernel.batcher import QueueFull
from wallet_kernel.contract.problems import Problem, invalid_request
from wallet_kernel.endpoint import Endpoint
from wallet_kernel.http import Answer, Call, Handler
from wallet_kernel.refusals import Refusal
from wallet_saga.protocol import (
    BalanceAt,
    BalanceAtAnswer,
    Claim,
    CreditRecord,
    FutureMoment,
    Lookup,
    Outcome,
    Postings,
    Refused,
    Statement,
    StatementAnswer,
    Step,
    TransferRecord,
)
from wallet_saga.worker.shard_writer import ShardWriter
from wallet_saga.worker.store import Store

MSGPACK = b"application/msgpack"
MESSAGE_BYTES_MAX = 4 * 1024 * 1024

Request = TypeVar("Request")


def internal_routes(writer: ShardWriter, store: Store) -> list[Route]:
    """What an orchestrator may ask of this worker."""

    async def steps(batch: list[Step]) -> list[Outcome]:
        try:
            return await writer.perform(batch)
        except QueueFull as full:
            raise Problem("overloaded", "Too many steps are waiting; send them again later.") from full

    async def claim(claim: Claim) -> list[TransferRecord]:
        return await store.claim(claim.limit, claim.lease_s)

    async def transfer(lookup: Lookup) -> TransferRecord | None:
        return await store.transfer(lookup.transfer_id)

    async def credit(lookup: Lookup) -> CreditRecord | None:
        return await store.credit(lookup.transfer_id)

    async def statement(asked: Statement) -> StatementAnswer:
        entries = await store.statement(asked.account_id, asked.limit, asked.before_version)
        if not entries and not await store.wallet_exists(asked.account_id):
            return Refused(Refusal.WALLET_NOT_FOUND)
        return Postings(entries)

    async def balance_at(asked: BalanceAt) -> BalanceAtAnswer:
        now, wallet = await store.balance_at(asked.account_id, asked.at)
        return _past(now, asked.at, wallet)

    return [
        _route("/steps", steps, Decoder(list[Step])),
        _route("/claim", claim, Decoder(Claim)),
        _route("/transfer", transfer, Decoder(Lookup)),
        _route("/credit", credit, Decoder(Lookup)),
        _route("/statement", statement, Decoder(Statement)),
        _route("/balance-at", balance_at, Decoder(BalanceAt)),
    ]


def _past(now: datetime, at: datetime, wallet: BalanceAtAnswer | None) -> BalanceAtAnswer:
    if at > now:
        return FutureMoment()
    return wallet or Refused(Refusal.WALLET_NOT_FOUND)


def _route(path: str, use_case: Callable[[Request], Awaitable[object]], decoder: Decoder[Request]) -> Route:
    async def handler(call: Call) -> Answer:
        try:
            request = decoder.decode(call.body)
        except (DecodeError, ValidationError) as error:
            raise invalid_request(f"The message does not fit: {error}.") from error
        return Answer(200, encode(await use_case(request)), content_type=MSGPACK)

    return _endpoint(path, handler)


def _endpoint(path: str, handler: Handler) -> Route:
    return Route(path, Endpoint(path, handler, takes_body=True, body_bytes_max=MESSAGE_BYTES_MAX), methods=["POST"])
