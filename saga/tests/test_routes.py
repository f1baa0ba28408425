"""The orchestrator's public routes while a worker is away: what is told, and what is counted."""

from collections.abc import Iterator
from socket import socket

import pytest
from prometheus_client import REGISTRY
from saga_support.scene import ONE_SHARD

from wallet_kernel.cache import open_cache
from wallet_kernel.contract.problems import Problem
from wallet_kernel.contract.requests import Requests
from wallet_kernel.http import Call
from wallet_saga.orchestrator.balance_reader import BalanceReader
from wallet_saga.orchestrator.coordinator import Coordinator
from wallet_saga.orchestrator.payments import Payments
from wallet_saga.orchestrator.routes import PublicRoutes
from wallet_saga.orchestrator.shard_client import ShardClient, open_session
from wallet_saga.orchestrator.shards import Shards

pytestmark = pytest.mark.anyio

TRANSFER = b'{"fromAccount":"a","toAccount":"b","amount":1,"currency":"USD"}'


@pytest.fixture
def port() -> Iterator[socket]:
    """A port where nobody listens, unless the test does; whoever does never says anything."""
    with socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


def counted(outcome: str) -> float:
    """How many transfers had this outcome."""
    return REGISTRY.get_sample_value("wallet_transfers_total", {"outcome": outcome}) or 0.0


@pytest.mark.parametrize(("listens", "told"), [(False, "shard-unavailable"), (True, "outcome-unknown")])
async def test_a_transfer_without_an_outcome_is_counted_as_what_it_is_told(
    port: socket, monkeypatch: pytest.MonkeyPatch, told: str, *, listens: bool
) -> None:
    """Nothing was done, or perhaps: the alert on outcomes that nobody knows lives on this count."""
    # The deadline falls into the long pause before the second attempt, not into an attempt.
    monkeypatch.setattr("wallet_saga.orchestrator.coordinator.random.uniform", lambda _, longest_s: longest_s)
    monkeypatch.setattr("wallet_saga.orchestrator.coordinator.BACKOFF_FIRST_S", 5.0)
    if listens:
        port.listen()
    before = counted(told)
    url = f"127.0.0.1:{port.getsockname()[1]}"
    async with open_session("a secret for tests only") as session, open_cache(f"redis://{url}") as redis:
        shards = Shards(
            ONE_SHARD.topology, [ShardClient("worker-0", session, f"http://{url}", ONE_SHARD, 0.1, 10, 10)]
        )
        routes = PublicRoutes(
            Requests(frozenset({"USD"})),
            Payments(Coordinator(shards), 0.5),
            shards,
            BalanceReader(redis, 0.1),
        )
        headers = [(b"content-type", b"application/json")]
        scope = {"path": "/wallets/balanceTransfer", "query_string": b"", "headers": headers}
        with pytest.raises(Problem) as raised:
            await routes.handlers()["transfer"](Call(scope, TRANSFER))
    assert raised.value.name == told
    assert counted(told) == before + 1
