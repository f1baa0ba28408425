"""Services reject a wrong database at a known address, as after a restart of containers."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import asyncpg
import pytest
from cqrs_support.traffic import Client, Reply, client
from cqrs_support.waiting import until

from wallet_cqrs.messages import partition_of
from wallet_lab.checker.audit import audit_books, violations
from wallet_lab.testing import RunningStack, detour, running_stack

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

UNAVAILABLE = (503, "/problems/shard-unavailable")


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """One stack for all tests of this module. Each test leaves it healthy."""
    with running_stack("cqrs") as running:
        yield running


def astray(stack: RunningStack, name: str, to: str) -> AbstractAsyncContextManager[None]:
    """Redirects one database's address to another while the context is open. The first must be down."""
    ports = {part.name: part.port for part in stack.components}
    return detour(ports[name], ports[to])


def status_and_type(reply: Reply) -> tuple[int, object]:
    """Returns the fields of a response that a client checks."""
    return reply.status, reply.document.get("type")


async def until_refused(stack: RunningStack, service: str) -> None:
    """Waits until a server has rejected this service because it has no such database."""
    await until(lambda: "InvalidCatalogNameError" in stack.log(service), 10, f"{service} is refused")


async def opened_on(user: Client, partition: int) -> tuple[str, int]:
    """Opens a wallet of this partition with a balance of 5; returns it and its position."""
    account = next(name for _ in range(100) if partition_of(name := uuid.uuid4().hex, 2) == partition)
    return account, (await user.open(account, 5)).document["position"]


async def test_wrong_read_shard_is_neither_read_nor_written(stack: RunningStack) -> None:
    """A wrong read shard is neither read nor written. With the right one, the projection catches up."""
    async with client(stack.base_url) as user:
        old, position = await opened_on(user, 0)
        await user.balance(old, position)
        with stack.outage("postgres-read-0"):
            async with astray(stack, "postgres-read-0", "postgres-read-1"):
                assert status_and_type(await user.send("GET", f"/wallets/{old}/transactions")) == UNAVAILABLE
                new, position = await opened_on(user, 0)
                elsewhere, reached = await opened_on(user, 1)
                assert (await user.balance(elsewhere, reached)).status == 200
                await until_refused(stack, "projection-0")
                assert await wallets_of(stack, 1, [old, new]) == []
        assert (await user.balance(new, position)).document["balance"] == 5
    assert violations(await audit_books(stack)) == []


async def wallets_of(stack: RunningStack, shard: int, accounts: list[str]) -> list[asyncpg.Record]:
    """Returns those of these wallets that a read shard has."""
    connection = await asyncpg.connect(stack.database_urls[shard])
    try:
        sql = "SELECT account_id FROM read_model.wallets WHERE account_id = ANY($1)"
        return list(await connection.fetch(sql, accounts))
    finally:
        await connection.close()


async def test_read_shard_at_the_address_of_the_event_store_is_not_used(stack: RunningStack) -> None:
    """If the event store's address leads to a read shard, commands and past reads fail until it is fixed."""
    body = {"accountId": uuid.uuid4().hex, "currency": "USD"}
    async with client(stack.base_url) as user:
        with stack.outage("postgres-events"):
            async with astray(stack, "postgres-events", "postgres-read-0"):
                assert status_and_type(await user.send("POST", "/wallets", **body)) == UNAVAILABLE
                assert (
                    status_and_type(await user.send("GET", f"/transfers/{uuid.UUID(int=7)}")) == UNAVAILABLE
                )
                for service in ("command-0", "relay-0"):
                    await until_refused(stack, service)
        opening = await user.send("POST", "/wallets", **body)
        assert opening.status == 201
        assert (await user.balance(str(body["accountId"]), opening.document["position"])).status == 200
    assert violations(await audit_books(stack)) == []
