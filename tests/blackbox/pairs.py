"""Pairs of wallets: on the same shard, and on two shards."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.blackbox.names import FAR, NEAR

NEAR_AND_FAR = [pytest.param(NEAR, id="same-shard"), pytest.param(FAR, id="other-shard")]


@dataclass(frozen=True)
class Pair:
    """Two USD wallets that hold 100 and 50."""

    payer: str
    payee: str
