"""Two wallets, once on one shard and once on two."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.blackbox.names import FAR, NEAR

NEAR_AND_FAR = [pytest.param(NEAR, id="same-shard"), pytest.param(FAR, id="other-shard")]


@dataclass(frozen=True)
class Pair:
    """Two wallets in USD, 100 and 50 in them."""

    payer: str
    payee: str
