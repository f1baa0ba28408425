"""Read-your-writes with projected reads: ``position`` and ``min_position`` (CQRS only)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.blackbox.api import Call, WalletApi
from tests.blackbox.names import new_account
from tests.blackbox.problems import assert_problem
from tests.blackbox.stack import Stack

OpenWallet = Callable[..., str]


@pytest.fixture(autouse=True)
def projected(stack: Stack) -> None:
    """Skip unless the architecture's reads can lag behind its writes."""
    if stack.architecture != "cqrs":
        pytest.skip("only cqrs has positions")


def test_every_write_answers_its_position(api: WalletApi, open_wallet: OpenWallet) -> None:
    """Every successful POST, PUT and DELETE returns a ``position``, which grows with each change."""
    account, other = new_account(), open_wallet()
    answers = [
        api.open_wallet(account, balance=10),
        api.deposit(account, 1),
        api.withdraw(account, 1),
        api.transfer(account, other, 10),
        api.set_status(account, "frozen"),
        api.close_wallet(account),
    ]
    positions = [answer.document["position"] for answer in answers]
    assert positions == sorted(set(positions))


def test_a_read_answers_the_position_it_reflects(api: WalletApi, open_wallet: OpenWallet) -> None:
    """A balance read with ``min_position`` shows at least that position, and returns the position it shows."""
    account = open_wallet(5)
    for turn in range(1, 20):
        position = api.deposit(account, 1).document["position"]
        read = api.send(Call("GET", f"/wallets/{account}/balance", {"min_position": str(position)}))
        assert (read.document["balance"], read.document["position"] >= position) == (5 + turn, True)


def test_read_of_any_wallet_can_wait_for_any_position(api: WalletApi, open_wallet: OpenWallet) -> None:
    """Positions are global: a read of an unchanged wallet can wait for a write to another wallet."""
    quiet, busy = open_wallet(1), open_wallet(1)
    position = api.deposit(busy, 1).document["position"]
    read = api.send(Call("GET", f"/wallets/{quiet}/balance", {"min_position": str(position)}))
    assert (read.status, read.document["position"] >= position) == (200, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["/wallets/{}/balance", "/wallets/{}/transactions", "/transfers/00000000-0000-0000-0000-000000000000"],
)
def test_unreached_position_gets_503_with_the_position_reached(
    api: WalletApi, open_wallet: OpenWallet, path: str
) -> None:
    """A read waits at most 5 s for a position beyond the head, then gets a 503 with Retry-After and its position."""
    account = open_wallet(1)
    answer = api.send(Call("GET", path.format(account), {"min_position": str(10**15)}))
    assert_problem(answer, "position-not-reached")


@pytest.mark.parametrize("position", ["-1", "abc", "1.5", "", "99999999999999999999999", "1e3"])
def test_other_positions_are_invalid(api: WalletApi, open_wallet: OpenWallet, position: str) -> None:
    """``min_position`` must be a whole number; anything else is a 422."""
    answer = api.send(Call("GET", f"/wallets/{open_wallet(1)}/balance", {"min_position": position}))
    assert_problem(answer, "invalid-request")
