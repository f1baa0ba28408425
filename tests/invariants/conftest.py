"""Shared fixtures of the invariant tests: wallets and audits."""

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
    """The violations that an audit has found. They persist, so only the first test that finds them fails."""
    return []


@pytest.fixture(autouse=True)
def audited(stack: Stack, violated: list[str]) -> Iterator[None]:
    """Audit the databases after each test. Only the first test whose audit finds a violation fails."""
    yield
    if not violated:
        violated += audited_at_rest(stack)
        assert violated == []
