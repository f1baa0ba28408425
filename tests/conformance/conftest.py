"""Wallets the conformance tests begin with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.blackbox.names import FAR, NEAR
from tests.blackbox.pairs import NEAR_AND_FAR, Pair


@pytest.fixture(params=NEAR_AND_FAR)
def pair(request: pytest.FixtureRequest, open_wallet: Callable[..., str]) -> Pair:
    """A payer and a payee, once on one shard and once on two."""
    return Pair(open_wallet(100, slots=NEAR), open_wallet(50, slots=request.param))


@pytest.fixture(scope="module")
def still_pair(open_wallet: Callable[..., str]) -> Pair:
    """Two wallets shared by a module's tests, because none of their requests may change anything."""
    return Pair(open_wallet(100, slots=NEAR), open_wallet(50, slots=FAR))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test says in its docstring which rule it proves."""
    silent = [
        item.nodeid for item in items if isinstance(item, pytest.Function) and not item.function.__doc__
    ]
    if silent:
        raise pytest.UsageError(f"tests without the rule they prove: {silent}")
