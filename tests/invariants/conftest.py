"""Wallets and scenarios the invariant tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from tests.blackbox.names import FAR, NEAR
from tests.blackbox.proof import audited_at_rest
from tests.blackbox.stack import Stack

OpenWallet = Callable[..., str]
Opened = dict[str, Decimal]


@pytest.fixture
def accounts(open_wallet: OpenWallet) -> Opened:
    """Sixteen wallets with 100 each, half of them on one shard, half on another."""
    return {open_wallet(100, slots=slots): Decimal(100) for slots in (NEAR, FAR) for _ in range(8)}


@pytest.fixture(scope="session")
def violated() -> list[str]:
    """What an audit has found: it stays in the databases, so the test after which it was found is the one to blame."""
    return []


@pytest.fixture(autouse=True)
def audited(stack: Stack, violated: list[str]) -> Iterator[None]:
    """After each of these tests the databases keep every guarantee, unless an earlier one has broken them."""
    yield
    if not violated:
        violated += audited_at_rest(stack)
        assert violated == []
