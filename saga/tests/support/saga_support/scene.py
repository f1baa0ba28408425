"""A payer and a payee on two shards of a running stack, with clients of the workers and of the public API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import aiohttp
import httpx
from msgspec.msgpack import Decoder

from wallet_kernel.ids import new_transaction_id
from wallet_kernel.refusals import Refusal
from wallet_kernel.slots import slot_of
from wallet_kernel.topology import Placement, Topology
from wallet_lab.testing import RunningStack
from wallet_saga.domain.commands import (
    CompleteTransfer,
    CreditWallet,
    DebitWallet,
    RefundTransfer,
    TransferRecord,
)
from wallet_saga.messages import Lookup
from wallet_saga.orchestrator.shard_client import ShardClient, Shards, open_session
from wallet_saga.worker.store import Store

TEN = 10_000_000
RECORD = Decoder(TransferRecord | None)
RECORDS = Decoder(list[TransferRecord])
ONE_SHARD = Placement.even(0, 1)
"""The placement of a database that the tests migrate."""

_NUMBERS = count()


@dataclass
class Scene:
    """A payer with 100 and a payee with 0, with clients of the workers and of the public API."""

    shards: Shards
    api: httpx.AsyncClient
    payer: str
    payee: str
    transaction_id: UUID
    amount_micros: int = TEN

    def debit(self) -> DebitWallet:
        return DebitWallet(self.transaction_id, self.payer, self.payee, self.amount_micros, "USD")

    def credit(self) -> CreditWallet:
        return CreditWallet(self.transaction_id, self.payer, self.payee, self.amount_micros, "USD")

    def refund(self) -> RefundTransfer:
        return RefundTransfer(self.transaction_id, self.payer, Refusal.WALLET_FROZEN)

    def complete(self) -> CompleteTransfer:
        return CompleteTransfer(self.transaction_id, self.payer)

    async def send(self, step: DebitWallet | CreditWallet | RefundTransfer | CompleteTransfer) -> object:
        return await self.shards.of_account(step.account_id).submit(step)

    async def freeze(self, account: str) -> None:
        response = await self.api.put(f"/wallets/{account}", json={"status": "frozen"})
        assert response.status_code == 200

    async def balances(self) -> tuple[Decimal | int, Decimal | int]:
        return await self._balance(self.payer), await self._balance(self.payee)

    async def _balance(self, account: str) -> Decimal:
        document = (await self.api.get(f"/wallets/{account}/balance")).json(parse_float=Decimal)
        return Decimal(document["balance"])

    async def document(self) -> dict[str, Any]:
        response = await self.api.get(f"/transfers/{self.transaction_id}")
        document: dict[str, Any] = response.json()
        return document

    async def state(self) -> str | None:
        """Returns the saga's state in the payer's log."""
        record = await self.shards.of_account(self.payer).ask(
            "/transfer", Lookup(self.transaction_id), RECORD
        )
        return record.state if record else None

    async def ended(self) -> str | None:
        """Returns the saga's state once it has ended. Fails if that takes longer than five seconds."""
        for _ in range(100):
            state = await self.state()
            if state != "debited":
                return state
            await asyncio.sleep(0.05)
        raise AssertionError("The saga has not ended within five seconds.")


def shard_client(
    name: str, session: aiohttp.ClientSession, url: str, placement: Placement, timeout_s: float = 2.0
) -> ShardClient:
    """Returns a client with room for 1,000 commands."""
    return ShardClient(name, session, url, placement, timeout_s=timeout_s, batch_max=100, queue_max=1000)


def account_on(shard: int) -> str:
    """Returns an unused wallet name on this shard of two."""
    return next(name for n in _NUMBERS if slot_of(name := f"crash{n}") * 2 // 1024 == shard)


def statements_of(store: Store) -> list[str]:
    """Returns a list that collects the statements of the writer's session from now on."""
    sent: list[str] = []
    assert store._writer._connection is not None
    store._writer._connection.add_query_logger(lambda record: sent.append(record.query))
    return sent


def worker_urls(stack: RunningStack) -> list[str]:
    """Returns the addresses of the stack's workers, in the order of their shards."""
    return [c.url for c in stack.components if c.kind == "worker"]


@asynccontextmanager
async def opened_scene(stack: RunningStack, payee_shard: int = 1) -> AsyncIterator[Scene]:
    """Opens a fresh pair of wallets: the payer on shard 0, and the payee on this shard."""
    async with (
        open_session(stack.credentials.service_secret) as session,
        httpx.AsyncClient(base_url=stack.base_url) as api,
    ):
        shards = Shards(
            Topology.even(2),
            [
                ShardClient(
                    f"test-{n}",
                    session,
                    url,
                    Placement.even(n, 2),
                    timeout_s=2.0,
                    batch_max=100,
                    queue_max=1000,
                )
                for n, url in enumerate(worker_urls(stack))
            ],
        )
        payer, payee = account_on(0), account_on(payee_shard)
        for name, balance in ((payer, 100), (payee, 0)):
            opened = await api.post(
                "/wallets", json={"accountId": name, "currency": "USD", "balance": balance}
            )
            assert opened.status_code == 201
        yield Scene(shards, api, payer, payee, new_transaction_id(payer))
