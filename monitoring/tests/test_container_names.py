"""The names of containers: which component a container is, and how often the DNS is queried."""

import socket
from itertools import pairwise

import pytest

from wallet_monitoring.exporters.container_names import (
    RETRY_S_MAX,
    ROUND_S,
    Component,
    ContainerNames,
    component_of,
    resolve_name,
)

KINDS = {"worker": "worker", "read": "postgres", "redis": "redis"}


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ("my-wallet-redis-1", Component("redis", "redis")),
        ("my-wallet-worker-0-1", Component("worker-0", "worker")),
        ("my-wallet-worker-0-2", Component("worker-0-2", "worker")),
        ("my-wallet-redis-12", Component("redis-12", "redis")),
        ("my-wallet-read-1-1", Component("read-1", "postgres")),
        ("my-wallet-secrets-1", None),
        ("my-wallet-watching-redis-1", None),
        ("my-redis-1", None),
        ("my-wallet-redis-run-0a1b2c3d4e5f", None),
        ("someone", None),
    ],
)
def test_a_container_is_a_component_of_its_project(container: str, expected: Component | None) -> None:
    """Replicas get different names; one-shots, watchers and containers of other projects are no components."""
    assert component_of(container, "my-wallet", KINDS) == expected


class Dns:
    """A DNS that knows some containers and answers slowly."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.names: dict[str, str] = {}
        self.queries: list[tuple[str, float]] = []
        self.now_s = 0.0
        self._takes_s = takes_s

    def resolve(self, container_id: str) -> str:
        self.queries.append((container_id, self.now_s))
        self.now_s += self._takes_s
        if container_id not in self.names:
            raise socket.gaierror(socket.EAI_AGAIN, "not now")
        return self.names[container_id]

    def clock(self) -> float:
        return self.now_s


def test_known_name_is_queried_once() -> None:
    """A known name is not queried again; the names of ended containers are dropped."""
    dns = Dns()
    dns.names = {"a": "wallet-redis-1"}
    names = ContainerNames(dns.resolve, dns.clock)
    assert names.of(["a"]) == names.of(["a"]) == {"a": "wallet-redis-1"}
    assert len(dns.queries) == 1
    assert names.of([]) == {}
    names.of(["a"])
    assert len(dns.queries) == 2


def test_unknown_container_is_queried_with_backoff() -> None:
    """Containers without a name are queried more and more rarely, but at least every few minutes."""
    dns = Dns()
    names = ContainerNames(dns.resolve, dns.clock)
    while dns.now_s < 3600:
        assert names.of(["a"]) == {}
        dns.now_s += 1
    waits_s = [later - earlier for (_, earlier), (_, later) in pairwise(dns.queries)]
    assert waits_s == sorted(waits_s)
    assert waits_s[-1] == RETRY_S_MAX
    dns.names = {"a": "wallet-redis-1"}
    dns.now_s += RETRY_S_MAX
    assert names.of(["a"]) == {"a": "wallet-redis-1"}


def test_round_of_queries_ends_at_its_time_limit() -> None:
    """A round of queries ends at its time limit, and the next round continues with the remaining ones."""
    dns = Dns(takes_s=1.0)
    names = ContainerNames(dns.resolve, dns.clock)
    ids = [str(number) for number in range(10)]
    names.of(ids)
    assert dns.now_s <= ROUND_S + 1
    first_round = {one for one, _ in dns.queries}
    assert len(first_round) < len(ids)
    dns.queries.clear()
    names.of(ids)
    second_round = {one for one, _ in dns.queries}
    assert second_round
    assert first_round.isdisjoint(second_round)


def test_id_of_digits_is_queried_as_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id of twelve digits is queried as a name and not read as an address."""
    queries: list[str] = []

    def answer(name: str) -> str:
        queries.append(name)
        return "192.0.2.1"

    monkeypatch.setattr(socket, "gethostbyname", answer)
    monkeypatch.setattr(socket, "gethostbyaddr", lambda _: ("wallet-redis-1.wallet_internal", [], []))
    assert resolve_name("123456789012" + "0a" * 26) == "wallet-redis-1"
    assert queries == ["123456789012."]
