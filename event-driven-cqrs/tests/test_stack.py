"""The whole stack under faults: no acknowledged write is lost, and the read model equals the events."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import aio_pika
import aiohttp
import asyncpg
import psutil
import pytest
from cqrs_support.traffic import Client, Reply, Traffic, Witness, busy, client
from redis.asyncio import Redis

from wallet_cqrs.messages import DEAD_LETTER_EXCHANGE, EXCHANGE, partition_of
from wallet_lab.architectures.cqrs.topology import EVENT_STORE
from wallet_lab.checker.audit import audit_books, violations
from wallet_lab.stack.health.degraded import read_degraded
from wallet_lab.testing import RunningStack, running_stack

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(240)]

SETTLE_S = 40.0
OUTAGE_S = float(os.environ.get("WALLET_TEST_OUTAGE_S", "10"))


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """One stack for all tests of this module. Each test leaves it healthy."""
    with running_stack("cqrs", extra_env={"query": {"WALLET_POSITION_TIMEOUT_S": "8"}}) as running:
        yield running


async def assert_sound(stack: RunningStack, traffic: Traffic) -> None:
    """Asserts at quiescence that every acknowledged transfer exists once and all databases agree."""
    assert traffic.acknowledged, "there was no load"
    deadline = time.monotonic() + SETTLE_S
    while found := violations(await audit_books(stack)):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.5)
    connection = await asyncpg.connect(stack.client_url(EVENT_STORE))
    try:
        sql = "SELECT transaction_id::text, count(*) FROM events WHERE transaction_id = ANY($1::uuid[]) GROUP BY 1"
        counts = dict(await connection.fetch(sql, traffic.acknowledged))
    finally:
        await connection.close()
    assert counts == dict.fromkeys(traffic.acknowledged, 2)


@pytest.mark.parametrize("kind", ["command", "relay", "projection", "query"])
async def test_service_killed_under_load_loses_no_acknowledged_write(stack: RunningStack, kind: str) -> None:
    """If a service is killed three times with kill -9 under load, no acknowledged write is lost."""
    async with busy(stack.base_url) as traffic:
        for _ in range(3):
            await asyncio.sleep(1)
            pid = stack.kill(f"{kind}-0")
            await asyncio.to_thread(stack.wait_restarted, f"{kind}-0", pid)
    stack.wait_ready()
    await assert_sound(stack, traffic)


@pytest.mark.timeout(240 + OUTAGE_S)
async def test_outage_of_the_broker_under_load_only_delays_readers(
    stack: RunningStack, capsys: pytest.CaptureFixture[str]
) -> None:
    """During an outage of the broker, writes succeed, and events are delivered afterwards in constant memory.

    The outage takes WALLET_TEST_OUTAGE_S seconds, by default ten. The test prints its measurements.
    """
    async with busy(stack.base_url) as traffic:
        await asyncio.sleep(2)
        memory = [memory_mib(stack)]
        with stack.outage("rabbitmq"):
            before = len(traffic.acknowledged)
            await asyncio.sleep(OUTAGE_S)
            during = len(traffic.acknowledged) - before
            memory.append(memory_mib(stack))
    began = time.monotonic()
    await assert_sound(stack, traffic)
    memory.append(memory_mib(stack))
    with capsys.disabled():
        print(  # noqa: T201 -- prints the measured figures
            f"\nbroker away for {OUTAGE_S:.0f} s: {during / OUTAGE_S:.0f} transfers/s during the outage, all delivered"
            f" {time.monotonic() - began:.1f} s after the load; MiB before, at the outage's end, afterwards: {memory}"
        )
    assert during
    assert all(held < memory[0][name] + 64 for later in memory for name, held in later.items())


def memory_mib(stack: RunningStack) -> dict[str, int]:
    """Returns the memory of relay, projection and query service."""
    kinds = ("command", "relay", "projection")
    return {
        part.name: psutil.Process(part.pid).memory_info().rss // 2**20
        for part in stack.components
        if part.kind in kinds and part.pid is not None
    }


async def test_reads_with_a_position_are_fresh_while_redis_fails(
    stack: RunningStack,
) -> None:
    """If Redis is flushed repeatedly and then killed, reads with a position are never stale and never fail."""
    witness = Witness()
    async with busy(stack.base_url) as traffic, witness.watching(stack.base_url):
        async with Redis.from_url(stack.client_url("redis")) as redis:
            for _ in range(20):
                await asyncio.sleep(0.1)
                await redis.flushall()
        with stack.outage("redis"):
            await asyncio.sleep(2)
        await asyncio.sleep(1)
    assert witness.reads > 20
    assert witness.complaints == []
    await assert_sound(stack, traffic)


async def test_read_of_an_unreached_position_times_out_with_503(stack: RunningStack) -> None:
    """If the relay is down, a read with the position of a write gets 503 with the position reached."""
    account = f"w-{uuid.uuid4().hex}"
    async with client(stack.base_url) as user:
        with stack.outage("relay-0"):
            position = (await user.open(account, 5)).document["position"]
            late = await user.balance(account, position)
        assert (late.status, late.document["type"]) == (503, "/problems/position-not-reached")
        assert late.document["position"] < position
        reached = await user.balance(account, position)
        assert (reached.status, reached.document["balance"]) == (200, 5)


async def test_a_rebuild_under_load_equals_the_live_model(stack: RunningStack) -> None:
    """Two rebuilds and a comparison under load find no difference."""
    witness = Witness()
    async with busy(stack.base_url) as traffic, witness.watching(stack.base_url):
        for verify in (False, False, True):
            done = await asyncio.to_thread(stack.run, "verify" if verify else "rebuild")
            assert done.returncode == 0, done
    assert witness.complaints == []
    await assert_sound(stack, traffic)


async def test_verify_finds_a_planted_difference(stack: RunningStack) -> None:
    """A comparison finds one extra micro in a wallet, and a rebuild removes it."""
    async with client(stack.base_url) as user:
        account = f"w-{uuid.uuid4().hex}"
        position = (await user.open(account, 5)).document["position"]
        await user.balance(account, position)
    shard = await asyncpg.connect(stack.database_urls[partition_of(account, 2)])
    await shard.execute(
        "UPDATE read_model.wallets SET balance_micros = 5000001 WHERE account_id = $1", account
    )
    await shard.close()
    verified = stack.run("verify")
    assert verified.returncode == 1
    assert account in verified.stdout
    assert stack.run("rebuild").returncode == 0
    assert stack.run("verify").returncode == 0


async def test_stream_sends_every_change_and_ends_when_the_service_drains(stack: RunningStack) -> None:
    """A stream starts with the current balance, sends every change, and ends when the service drains."""
    account = f"w-{uuid.uuid4().hex}"
    async with client(stack.base_url) as user:
        position = (await user.open(account, 1)).document["position"]
        path = f"{stack.base_url}/wallets/{account}/balance/stream?min_position={position}"
        async with aiohttp.ClientSession() as session, session.get(path) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert b'"balance":1,' in await next_data(response)
            await user.deposit(account, 2)
            assert b'"balance":3,' in await next_data(response)
            pid = stack.kill("query-0", signal.SIGTERM)
            async with asyncio.timeout(20):
                await ended(response)
    await asyncio.to_thread(stack.wait_restarted, "query-0", pid)
    stack.wait_ready()


async def next_data(response: aiohttp.ClientResponse) -> bytes:
    """Returns the data of the next event and skips comments. Raises EOFError at the end."""
    while True:
        async with asyncio.timeout(20):
            line = await response.content.readline()
        if not line:
            raise EOFError
        if line.startswith(b"data: "):
            return line


async def ended(response: aiohttp.ClientResponse) -> None:
    """Reads the stream to its end. Raises aiohttp's error if the connection breaks."""
    async for _ in response.content:
        pass


async def test_foreign_message_is_buried_and_its_partition_continues(stack: RunningStack) -> None:
    """A foreign message is counted and goes to the dead letters, and no partition stops."""
    async with await aio_pika.connect(stack.client_url("rabbitmq")) as connection:
        channel = await connection.channel()
        await (await channel.get_exchange(EXCHANGE)).publish(aio_pika.Message(b"\xc1"), "0")
        projection = next(part for part in stack.components if part.kind == "projection")
        await until_answers(f"{projection.url}/metrics", 'wallet_projection_buried_total{partition="0"} 1.0')
        async with client(stack.base_url) as user:
            await assert_partition_goes_on(user, 0)
        stack.wait_ready()
        dead = await (await channel.get_queue(DEAD_LETTER_EXCHANGE)).get()
        assert dead is not None
        assert dead.body == b"\xc1"
        await dead.ack()


async def test_poison_event_stops_one_partition_until_a_replay(stack: RunningStack) -> None:
    """Poison stops one partition, and the metric and `/readyz` show it; replay resumes it after the cause is fixed."""
    account = name_in(0)
    shard = await asyncpg.connect(stack.database_urls[0])
    async with client(stack.base_url) as user:
        await user.open(account, 1)
        await shard.execute(PLANT, account)
        await user.deposit(account, 1)
        projection = next(part for part in stack.components if part.kind == "projection")
        await until_answers(f"{projection.url}/readyz", "UniqueViolation")
        await until_answers(f"{projection.url}/metrics", 'wallet_projection_stopped{partition="0"} 1.0')
        await assert_partition_goes_on(user, 1)
        assert projection.pid is not None
        stack.kill("projection-0")
        await asyncio.to_thread(stack.wait_restarted, "projection-0", projection.pid)
        stack.wait_ready()  # the partition is still stopped, which degrades the projection
        await until_answers(f"{projection.url}/readyz", '"status":"ready","degraded":{"partition-0"')
        (sentence,) = read_degraded([asdict(part) for part in stack.components])
        assert sentence.startswith("projection-0 is ready, but partition-0 is not")
        assert "./lab rebuild" in sentence
    await shard.execute("DELETE FROM read_model.postings WHERE counterparty = 'planted'")
    await shard.close()
    async with busy(stack.base_url) as traffic:
        await asyncio.sleep(1)
        assert replay(stack, 0).returncode == 0
    stack.wait_ready()
    await assert_sound(stack, traffic)


PLANT = """INSERT INTO read_model.postings (account_id, version, kind, transaction_id, amount_micros, balance_micros,
counterparty, at) VALUES ($1, 2, 'deposit', gen_random_uuid(), 1, 1, 'planted', now())"""
"""Occupies the key of the posting of a wallet's second event."""


def name_in(partition: int) -> str:
    """Returns an unused wallet name in this partition."""
    return next(name for n in range(100) if partition_of(name := f"{uuid.uuid4().hex}-{n}", 2) == partition)


async def assert_partition_goes_on(user: Client, partition: int) -> None:
    """Asserts that a new wallet of this partition can be read."""
    account = name_in(partition)
    position = (await user.open(account, 1)).document["position"]
    assert (await user.balance(account, position)).status == 200


async def until_answers(url: str, expected: str) -> None:
    """Waits until the page gives the expected response."""
    deadline = time.monotonic() + 20
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(url) as response:
                text = await response.text()
            if expected in text:
                return
            assert time.monotonic() < deadline, text
            await asyncio.sleep(0.1)


def replay(stack: RunningStack, partition: int) -> "subprocess.CompletedProcess[str]":
    """Runs the operator's replay command."""
    env = {
        **os.environ,
        "WALLET_EVENT_STORE_URL": stack.client_url(EVENT_STORE, "wallet_service"),
        "WALLET_READ_URLS": ",".join(stack.service_database_urls),
    }
    argv = [sys.executable, "-P", "-m", "wallet_cqrs.projection", "replay", "--partition", str(partition)]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


async def test_balances_are_served_while_the_event_store_is_paused(stack: RunningStack) -> None:
    """If the event store is paused, lookups end by their deadline, and the gateway keeps the query replica."""
    async with client(stack.base_url) as user, client(stack.base_url) as other:
        account = f"w-{uuid.uuid4().hex}"
        await user.open(account, 5)
        lookups: list[asyncio.Task[Reply]] = []
        balances: list[int] = []
        with paused(stack, EVENT_STORE):
            begun = time.monotonic()
            while time.monotonic() < begun + GATEWAY_PATIENCE_S + 4:
                lookups.append(asyncio.create_task(other.send("GET", f"/transfers/{uuid.uuid4()}")))
                await asyncio.sleep(0.1)
                if len(lookups) % 10 == 0:
                    balances.append((await user.balance(account, 0)).status)
            statuses = {reply.status for reply in await asyncio.gather(*lookups)}
    stack.wait_ready()
    assert statuses == {503}
    assert balances == [200] * len(balances)


GATEWAY_PATIENCE_S = 15
"""The gateway's timeout for a response."""


@contextmanager
def paused(stack: RunningStack, name: str) -> Iterator[None]:
    """Pauses all processes of a component while the context is open; their connections stay open."""
    pid = next(part.pid for part in stack.components if part.name == name)
    server = psutil.Process(pid)
    family = [server, *server.children(recursive=True)]
    try:
        for process in family:
            process.suspend()
        yield
    finally:
        for process in family:
            process.resume()


class TestGateway:
    """The gateway's own responses."""

    async def test_requests_of_a_dead_service_get_a_problem_document(self, stack: RunningStack) -> None:
        """If a service is down, its requests get a problem document; reads and writes fail independently."""
        async with client(stack.base_url) as user:
            with stack.outage("command-0"):
                write = await user.send("POST", "/wallets", accountId="x", currency="USD")
                assert (write.status, write.document["type"]) == (503, "/problems/shard-unavailable")
                assert write.document["instance"] == "/wallets"
                assert (await user.send("GET", "/wallets/nobody/balance")).status == 404
            with stack.outage("query-0"):
                read = await user.send("GET", "/wallets/no%22body/balance")
                assert (read.status, read.document["type"]) == (503, "/problems/shard-unavailable")
                assert read.document["instance"] == '/wallets/no"body/balance'

    async def test_write_is_unknown_if_the_service_dies_during_it(self, stack: RunningStack) -> None:
        """If the service dies while it processes a write, the client gets outcome-unknown."""
        async with client(stack.base_url) as user:
            stack.kill("command-0", signal.SIGSTOP)
            writing = asyncio.create_task(
                user.send("POST", "/wallets", accountId=f"w-{uuid.uuid4().hex}", currency="USD")
            )
            await asyncio.sleep(0.5)
            pid = stack.kill("command-0")
            reply = await writing
            await asyncio.to_thread(stack.wait_restarted, "command-0", pid)
        assert (reply.status, reply.document["type"]) == (503, "/problems/outcome-unknown")
        stack.wait_ready()

    async def test_large_bodies_are_refused_as_problems(self, stack: RunningStack) -> None:
        """Bodies just above and far above the limit get a problem document."""
        async with client(stack.base_url) as user:
            for size in (65 * 1024, 8 * 1024 * 1024):
                reply = await user.send("POST", "/wallets", accountId="x" * size, currency="USD")
                assert (reply.status, reply.document["type"]) == (413, "/problems/body-too-large")

    @pytest.mark.parametrize("path", ["/metrics", "/internal", "/debug/vars", "/config/", "/pprof"])
    async def test_internal_routes_are_not_reachable(self, stack: RunningStack, path: str) -> None:
        """The gateway exposes neither the services' internal routes nor Caddy's admin interface."""
        async with client(stack.base_url) as user:
            reply = await user.send("GET", path)
            assert (reply.status, reply.document["type"]) == (404, "/problems/not-found")

    async def test_every_503_has_retry_after_and_no_response_has_a_server_header(
        self, stack: RunningStack
    ) -> None:
        """Every 503 has Retry-After, and no response has a Server header."""
        with stack.outage("query-0"):
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{stack.base_url}/readyz") as response,
            ):
                assert response.status == 503
                assert response.headers["retry-after"] == "1"
                assert response.headers["content-type"] == "application/problem+json"
                assert not {"server", "via"} & {name.lower() for name in response.headers}
