"""Wallets that the conformance tests start with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from tests.blackbox.api import WalletApi
from tests.blackbox.names import FAR, NEAR
from tests.blackbox.pairs import NEAR_AND_FAR, Pair
from tests.blackbox.reading import WalletState, wallet_state


@pytest.fixture(params=NEAR_AND_FAR)
def pair(request: pytest.FixtureRequest, open_wallet: Callable[..., str]) -> Pair:
    """A payer and a payee: first on one shard, then on two."""
    return Pair(open_wallet(100, slots=NEAR), open_wallet(50, slots=request.param))


@pytest.fixture(scope="module")
def still_pair(api: WalletApi, open_wallet: Callable[..., str]) -> Iterator[Pair]:
    """Two wallets that a module's tests share, because refused requests must not change them. Checked at the end."""
    pair = Pair(open_wallet(100, slots=NEAR), open_wallet(50, slots=FAR))
    yield pair
    states = [wallet_state(api, account) for account in (pair.payer, pair.payee)]
    assert states == [WalletState(Decimal(100), 1, "active"), WalletState(Decimal(50), 1, "active")], (
        "a request of this module that must be refused has changed a wallet"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fail the collection if a test has no docstring, which states the rule it proves."""
    silent = [
        item.nodeid for item in items if isinstance(item, pytest.Function) and not item.function.__doc__
    ]
    if silent:
        raise pytest.UsageError(f"tests without a docstring that states their rule: {silent}")
