"""Wallets and scenarios the invariant tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from tests.blackbox.names import FAR, NEAR
from tests.blackbox.proof import assert_audited
from tests.blackbox.stack import Stack

OpenWallet = Callable[..., str]
Opened = dict[str, Decimal]


@pytest.fixture
def accounts(open_wallet: OpenWallet) -> Opened:
    """Sixteen wallets with 100 each, half of them on one shard, half on another."""
    return {open_wallet(100, slots=slots): Decimal(100) for slots in (NEAR, FAR) for _ in range(8)}


@pytest.fixture(autouse=True)
def audited(stack: Stack) -> Iterator[None]:
    """After each of these tests the databases keep every guarantee."""
    yield
    assert_audited(stack)
