"""The same transfers on one, two or four shards, with one or two orchestrators."""

import asyncio
import time

import httpx
import pytest

from wallet_kernel.slots import slot_of
from wallet_lab.checker.audit import audit_books, violations
from wallet_lab.testing import running_stack

pytestmark = pytest.mark.slow

RING = [f"ring-{number}" for number in range(0, 400, 20)]


@pytest.mark.parametrize(("shards", "orchestrators"), [(1, 1), (2, 2), (4, 2)])
def test_transfers_around_all_shards_conserve_money(shards: int, orchestrators: int) -> None:
    """If every wallet pays the next one in a ring, all balances are unchanged and the books of all shards balance."""
    assert {slot_of(name) * shards // 1024 for name in RING} == set(range(shards)), (
        "The ring has no wallet on one of the shards."
    )
    with running_stack("saga", shards=shards, orchestrators=orchestrators) as stack:
        for name in RING:
            wallet = {"accountId": name, "currency": "USD", "balance": 10}
            assert httpx.post(f"{stack.base_url}/wallets", json=wallet).status_code == 201
        for payer, payee in zip(RING, [*RING[1:], RING[0]], strict=True):
            body = {"fromAccount": payer, "toAccount": payee, "amount": "2.5", "currency": "USD"}
            assert httpx.post(f"{stack.base_url}/wallets/balanceTransfer", json=body).status_code == 201
        for name in RING:
            document = httpx.get(f"{stack.base_url}/wallets/{name}/balance").json()
            assert (document["balance"], document["version"]) == (10, 3)
        for _ in range(50):  # because Complete follows the response
            if not (found := violations(asyncio.run(audit_books(stack)))):
                break
            time.sleep(0.1)
        assert found == []
