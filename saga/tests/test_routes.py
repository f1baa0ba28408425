"""The orchestrator's public routes while a worker is away: what is told, and what is counted."""

import asyncio
from collections.abc import Iterator
from socket import socket

import pytest
from prometheus_client import REGISTRY
from saga_support.scene import ONE_SHARD

from wallet_kernel.cache import open_cache
from wallet_kernel.contract.problems import Problem
from wallet_kernel.contract.requests import CashRequest, Requests
from wallet_kernel.http import Call
from wallet_saga.orchestrator.balance_reader import BalanceReader
from wallet_saga.orchestrator.coordinator import Coordinator
from wallet_saga.orchestrator.payments import NoOutcome, Payments
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


async def test_step_is_answered_as_not_done_only_if_it_was_not_sent(port: socket) -> None:
    """At the deadline a step that was sent may be done; one that still waited for its batch was withdrawn."""
    port.listen()
    url = f"http://127.0.0.1:{port.getsockname()[1]}"
    async with open_session("a secret for tests only") as session:
        shard = ShardClient("worker-0", session, url, ONE_SHARD, 5.0, 10, 10)
        payments = Payments(Coordinator(Shards(ONE_SHARD.topology, [shard])), 0.5)
        request = CashRequest("alice", 1, "USD")
        sent = asyncio.create_task(payments.deposit(request, None))
        await asyncio.sleep(0.1)
        queued = asyncio.create_task(payments.deposit(request, None))
        outcomes = await asyncio.gather(sent, queued, return_exceptions=True)
    assert [isinstance(each, NoOutcome) and each.may_be_done for each in outcomes] == [True, False]
    assert isinstance(outcomes[1], NoOutcome)
