"""Readiness: checks of a service's dependencies, cached and with a deadline."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from wallet_kernel.runtime import readiness
from wallet_kernel.runtime.readiness import Degraded, NotReady, Readiness, Standby, State

pytestmark = pytest.mark.anyio


class Dependency:
    """A dependency of a service."""

    def __init__(self, *, works: bool = True) -> None:
        self.works = works
        self.answers = asyncio.Event()
        self.answers.set()
        self.checks = 0

    async def check(self) -> None:
        """Raises unless it works."""
        self.checks += 1
        await self.answers.wait()
        if not self.works:
            raise NotReady("no connection yet")


@pytest.fixture
def always_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every readiness request run the checks."""
    monkeypatch.setattr(readiness, "FRESH_S", 0.0)


async def test_service_is_ready_only_if_every_check_passes(always_stale: None) -> None:
    """Each failing check is listed with its reason, and its metric is 0."""
    database, cache = Dependency(), Dependency()
    ready = Readiness({"database": database.check, "cache": cache.check})
    assert await ready.state() == State({}, {})
    database.works = False
    assert await ready.state() == State({"database": "NotReady: no connection yet"}, {})
    assert REGISTRY.get_sample_value("wallet_dependency_up", {"dependency": "database"}) == 0
    assert REGISTRY.get_sample_value("wallet_dependency_up", {"dependency": "cache"}) == 1


async def test_one_working_shard_of_several_is_enough_to_be_ready(always_stale: None) -> None:
    """A dead shard degrades the service; only if all shards are dead, it is unready."""
    shards = [Dependency(), Dependency(works=False)]
    ready = Readiness({}, {f"shard-{number}": shard.check for number, shard in enumerate(shards)})
    assert await ready.state() == State({}, {"shard-1": "NotReady: no connection yet"})
    shards[0].works = False
    assert (await ready.state()).obstacles.keys() == {"shard-0", "shard-1"}


async def test_replica_is_a_standby_if_all_other_checks_pass(always_stale: None) -> None:
    """A replica is a standby only if each obstacle is that another replica is active."""

    async def check() -> None:
        raise Standby("another worker writes")

    database = Dependency()
    ready = Readiness({"database": database.check, "writer": check})
    assert await ready.state() == State({"writer": "Standby: another worker writes"}, {}, is_standby=True)
    database.works = False
    assert not (await ready.state()).is_standby


async def test_a_check_that_degrades_leaves_the_service_ready(always_stale: None) -> None:
    """If a check raises Degraded, the service is ready and degraded, and the check's metric is 0."""

    async def check() -> None:
        raise Degraded("the partition is stopped")

    ready = Readiness({"database": Dependency().check, "partition": check})
    assert await ready.state() == State({}, {"partition": "Degraded: the partition is stopped"})
    assert REGISTRY.get_sample_value("wallet_dependency_up", {"dependency": "partition"}) == 0


async def test_concurrent_requests_share_one_check() -> None:
    """Two hundred requests, concurrent and sequential, cost one check."""
    database = Dependency()
    ready = Readiness({"database": database.check})
    await asyncio.gather(*(ready.state() for _ in range(100)))
    for _ in range(100):
        await ready.state()
    assert database.checks == 1


async def test_check_continues_when_its_first_client_disconnects() -> None:
    """If the client that started a check disconnects, the other clients still get its result."""
    database = Dependency()
    database.answers.clear()
    ready = Readiness({"database": database.check})
    first, second = asyncio.create_task(ready.state()), asyncio.create_task(ready.state())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    database.answers.set()
    assert await second == State({}, {})
    assert database.checks == 1


async def test_check_of_an_unresponsive_dependency_fails_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An unresponsive dependency does not block readiness requests."""
    monkeypatch.setattr(readiness, "CHECK_DEADLINE_S", 0.05)
    database = Dependency()
    database.answers.clear()
    ready = Readiness({"database": database.check})
    asked = asyncio.create_task(ready.state())
    await asyncio.wait({asked}, timeout=10)
    assert asked.done()
    assert asked.result().obstacles == {"database": "no answer within 0.05 s"}
