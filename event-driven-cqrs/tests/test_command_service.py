"""The responses to writes over HTTP."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from wallet_lab.testing import PostgresServer, RunningService, running_service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def service(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A command service on its own event store."""
    log: Path = tmp_path_factory.mktemp("command") / "command.log"
    with running_service(
        "wallet_cqrs.command", log, event_store_url=postgres.copy_database().service
    ) as running:
        yield running


@pytest.fixture
async def api(service: RunningService) -> AsyncIterator[httpx.AsyncClient]:
    """The service's public port."""
    await service.until_ready()
    async with httpx.AsyncClient(base_url=service.public_url) as client:
        yield client


async def open_wallet(api: httpx.AsyncClient, name: str, balance: str = "0") -> httpx.Response:
    """Opens a wallet in USD."""
    return await api.post("/wallets", json={"accountId": name, "currency": "USD", "balance": balance})


async def test_every_successful_write_returns_its_position(api: httpx.AsyncClient) -> None:
    """Every successful write returns its position, and positions increase."""
    amount = {"amount": "1.5", "currency": "USD"}
    answers = [
        await open_wallet(api, "a1", "10.234"),
        await open_wallet(api, "b1"),
        await api.post("/wallets/balanceTransfer", json={"fromAccount": "a1", "toAccount": "b1", **amount}),
        await api.post("/wallets/a1/deposits", json=amount),
        await api.post("/wallets/a1/withdrawals", json=amount),
        await api.put("/wallets/a1", json={"status": "frozen"}),
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 201, 201, 200]
    positions = [answer.json()["position"] for answer in answers]
    assert positions == sorted(set(positions))
    opened = answers[0].json()
    assert (opened["balance"], opened["version"], opened["status"]) == (10.234, 1, "active")
    assert (answers[5].json()["version"], answers[5].json()["status"]) == (5, "frozen")


async def test_a_key_replays_the_first_answer(api: httpx.AsyncClient) -> None:
    """A repeated key and body get the first response with its position and a replay header; another body gets 422."""
    await open_wallet(api, "a2", "10")
    await open_wallet(api, "b2")
    body = {"fromAccount": "a2", "toAccount": "b2", "amount": "10", "currency": "USD"}
    key = {"idempotency-key": "k2"}
    first = await api.post("/wallets/balanceTransfer", json=body, headers=key)
    again = await api.post("/wallets/balanceTransfer", json={**body, "amount": 10.0}, headers=key)
    other = await api.post("/wallets/balanceTransfer", json={**body, "amount": 9}, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_a_refusal_has_its_transaction_and_is_replayed(api: httpx.AsyncClient) -> None:
    """A refusal has a transaction id, and its replay stays refused even if the wallet got money meanwhile."""
    await open_wallet(api, "a3", "1")
    await open_wallet(api, "b3")
    body = {"fromAccount": "a3", "toAccount": "b3", "amount": "2", "currency": "USD"}
    first = await api.post("/wallets/balanceTransfer", json=body, headers={"idempotency-key": "k3"})
    await api.post("/wallets/a3/deposits", json={"amount": "5", "currency": "USD"})
    again = await api.post("/wallets/balanceTransfer", json=body, headers={"idempotency-key": "k3"})
    assert (first.status_code, first.json()["type"]) == (409, "/problems/insufficient-funds")
    assert again.json() == first.json()
    assert first.json()["transactionId"]
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_refusal_names_the_wallet_that_refused(api: httpx.AsyncClient) -> None:
    """If the payee's wallet refuses, the problem names the payee."""
    await open_wallet(api, "a4", "1")
    body = {"fromAccount": "a4", "toAccount": "nobody4", "amount": "1", "currency": "USD"}
    answer = await api.post("/wallets/balanceTransfer", json=body)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/wallet-not-found")
    assert "nobody4" in answer.json()["detail"]


async def test_closing_needs_an_empty_wallet_and_is_final(api: httpx.AsyncClient) -> None:
    """Closing a wallet with money gets 409. Closing an empty one gets 200, also if repeated, and is final."""
    await open_wallet(api, "a5", "1")
    assert (await api.delete("/wallets/a5")).status_code == 409
    await api.post("/wallets/a5/withdrawals", json={"amount": "1", "currency": "USD"})
    closed = await api.delete("/wallets/a5")
    again = await api.delete("/wallets/a5")
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    assert again.json()["version"] == closed.json()["version"]
    assert (await api.put("/wallets/a5", json={"status": "active"})).status_code == 409
    assert (await open_wallet(api, "a5")).status_code == 409


async def test_metrics_are_on_its_own_port_only(service: RunningService, api: httpx.AsyncClient) -> None:
    """The public port does not serve /metrics."""
    await open_wallet(api, "a6")
    assert (await api.get("/metrics")).status_code == 404
    assert await service.metric("wallet_log_head") > 0
