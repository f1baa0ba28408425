"""The databases store the number of partitions. Services with another number refuse to start."""

import os
import subprocess
import sys

import pytest
from cqrs_support.replicas import query

from wallet_cqrs.projection.store import Store
from wallet_cqrs.topology import verify_read_shard
from wallet_kernel.topology import OtherTopology
from wallet_lab.testing import DatabaseUrls

pytestmark = pytest.mark.anyio


def run(module: str, *arguments: str, **settings: str) -> tuple[int | None, str]:
    """Runs a process; returns its exit status (None if it does not end) and its output."""
    own = {
        "port": "0",
        "public_port": "0",
        "service_secret": "a secret for tests only",
        "redis_url": "redis://127.0.0.1:1",
        "broker_url": "amqp://127.0.0.1:1",
    }
    env = {f"WALLET_{name.upper()}": value for name, value in {**own, **settings}.items()}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", f"wallet_cqrs.{module}", *arguments],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            return None, ""
        return process.returncode, said


@pytest.mark.slow
@pytest.mark.parametrize("service", ["projection", "query", "rebuild"])
def test_service_refuses_to_start_with_another_number_of_read_shards(
    service: str, event_store: DatabaseUrls, read_shards: list[DatabaseUrls]
) -> None:
    """With another number of read shards a service refuses to start, because it would read wrong shards."""
    url = read_shards[0].owner if service == "rebuild" else read_shards[0].service
    status, said = run(service, event_store_url=event_store.service, read_urls=url)
    assert status == 1
    assert "configured as shard 0 of 1" in said
    assert "the database is shard 0 of 2" in said
    assert "WALLET_READ_URLS" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_services_refuse_read_shards_in_another_order(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls]
) -> None:
    """If the read shards are in another order, services refuse to start."""
    swapped = ",".join(urls.service for urls in reversed(read_shards))
    status, said = run("query", event_store_url=event_store.service, read_urls=swapped)
    assert status == 1
    assert "configured as shard 0 of 2" in said
    assert "the database is shard 1 of 2" in said


@pytest.mark.slow
def test_relay_refuses_to_start_with_another_number_of_read_shards(event_store: DatabaseUrls) -> None:
    """With another number of read shards the relay refuses to start, because it would use wrong queues."""
    status, said = run("relay", event_store_url=event_store.service, read_urls="pg://a,pg://b,pg://c")
    assert status == 1
    assert "configured for 3 shards" in said
    assert "the database is for 2 shards" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_migrations_refuse_another_number_of_read_shards(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls]
) -> None:
    """Migrations fail with another number of read shards, and change nothing with the same one."""
    for which, urls in (("events", event_store), ("read", read_shards[0])):
        status, said = run("migrations", which, database_url=urls.owner, shard="0", shards="3")
        assert (status, "Traceback" in said) == (1, False)
        assert run("migrations", which, database_url=urls.owner, shard="0", shards="2")[0] == 0


async def test_store_compares_every_new_connection(read_shards: list[DatabaseUrls]) -> None:
    """The store compares the topology on every new connection, for example after a failover."""
    async with Store(read_shards[0].service, prepare=verify_read_shard(1, 2)) as store:
        with pytest.raises(OtherTopology):
            await store.ping()
        await query(read_shards[0].owner, "UPDATE topology SET shard = 1")
        await store.ping()
