"""Write side and projection, if a database's primary changes or temporarily rejects writes."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from cqrs_support.replicas import query
from cqrs_support.waiting import until

from wallet_lab.testing import PostgresServer, RunningService, running_postgres, running_service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """Two event stores with the same roles, passwords and database name, each with its own log."""
    with running_postgres() as first, running_postgres(secrets_of=first) as second:
        for server in (first, second):
            server.migrate("wallet_cqrs.migrations", "events")
        yield first, second


@pytest.fixture
def service(
    pair: tuple[PostgresServer, PostgresServer], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[RunningService]:
    """A command service on the first server, or with the mark `both` on either one."""
    first, _ = pair
    url = address_of(pair) if getattr(request, "param", None) == "both" else first.service_url
    with ExitStack() as stack:
        stack.callback(first.set_read_only, is_read_only=False)
        yield stack.enter_context(
            running_service("wallet_cqrs.command", tmp_path / "log", event_store_url=url, deadline_s="2")
        )


def address_of(pair: tuple[PostgresServer, PostgresServer]) -> str:
    """Returns the address of both servers, the first one first."""
    first, second = pair
    return first.service_url.replace(f":{first.port}/", f":{first.port},127.0.0.1:{second.port}/")


async def write(service: RunningService, name: str) -> httpx.Response:
    """Opens a wallet."""
    async with httpx.AsyncClient(base_url=service.public_url, timeout=10) as client:
        return await client.post("/wallets", json={"accountId": name, "currency": "USD"})


async def test_service_writes_again_after_its_database_refused_writes(
    service: RunningService, pair: tuple[PostgresServer, PostgresServer]
) -> None:
    """While the event store rejects writes, the service is not ready; then it writes without a restart."""
    await service.until_ready()
    assert (await write(service, "before")).status_code == 201
    pair[0].set_read_only(is_read_only=True, ends_sessions=False)
    await until_not_ready(service)
    await assert_nothing_done(service)
    pair[0].end_sessions()
    await assert_nothing_done(service)
    await until_not_ready(service)
    pair[0].set_read_only(is_read_only=False, ends_sessions=False)
    assert (await write(service, "afterwards")).status_code == 201
    await service.until_ready()


async def until_not_ready(service: RunningService) -> None:
    """Waits until the service is not ready, because it keeps the result of its last check for a moment."""
    await until(lambda: not service.is_ready(), 30, "not ready")


async def assert_nothing_done(service: RunningService) -> None:
    """Asserts that a command is answered as not done."""
    refused = await write(service, "meanwhile")
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/shard-unavailable")


@pytest.mark.parametrize("service", ["both"], indirect=True)
async def test_service_follows_the_primary_among_the_servers_of_its_address(
    service: RunningService, pair: tuple[PostgresServer, PostgresServer]
) -> None:
    """If the first server of the address rejects writes, the next command goes to the second."""
    await service.until_ready()
    assert (await write(service, "on-the-first")).status_code == 201
    pair[0].set_read_only(is_read_only=True, ends_sessions=False)
    assert (await write(service, "on-the-second")).status_code == 201
    await service.until_ready()
    assert await _exists(pair[1], "on-the-second")
    assert not await _exists(pair[1], "on-the-first")


async def _exists(server: PostgresServer, name: str) -> bool:
    return bool(await query(server.owner_url, "SELECT FROM events WHERE stream_id = $1", name))


@pytest.mark.parametrize("service", ["both"], indirect=True)
@pytest.mark.parametrize("read", ["past balance", "transfer"])
async def test_reads_of_the_event_store_follow_its_primary(
    service: RunningService, pair: tuple[PostgresServer, PostgresServer], tmp_path: Path, read: str
) -> None:
    """If the sessions survive a failover, past balances and transfers are read from the new primary."""
    await service.until_ready()
    with query_service(pair, tmp_path / "query.log") as reads:
        assert (await answered(reads, f"/transfers/{uuid4()}")).status_code == 404  # opens a connection
        pair[0].set_read_only(is_read_only=True, ends_sessions=False)
        name = f"wallet-{uuid4()}"
        opened = (await write(service, name)).json()
        if read == "transfer":
            found = await answered(reads, f"/transfers/{opened['transactionId']}")
        else:
            found = await answered(reads, f"/wallets/{name}/balance", at=opened["lastUpdated"])
    assert found.status_code == 200, found.text


def query_service(
    pair: tuple[PostgresServer, PostgresServer], log: Path
) -> AbstractContextManager[RunningService]:
    """Runs a query service that reaches only the event stores."""
    return running_service(
        "wallet_cqrs.query",
        log,
        event_store_url=address_of(pair),
        read_urls="postgresql://nobody@127.0.0.1:1/none",
        redis_url="redis://127.0.0.1:1/0",
    )


async def answered(service: RunningService, path: str, **params: str) -> httpx.Response:
    """Returns the first answer to this read that is not 503."""
    end_s = time.monotonic() + 30
    async with httpx.AsyncClient(base_url=service.public_url, timeout=10) as client:
        while True:
            with suppress(httpx.ConnectError):
                answer = await client.get(path, params=params)
                if answer.status_code != 503:
                    return answer
            assert time.monotonic() < end_s, "no answer but 503 within 30 s"
            await asyncio.sleep(0.05)
