"""Shared helpers of the availability tests."""

from __future__ import annotations

from tests.blackbox.api import WalletApi
from tests.blackbox.names import new_account


def opened(base_url: str, count: int) -> list[str]:
    """New wallets that hold 1000 each."""
    api = WalletApi(base_url)
    accounts = [new_account() for _ in range(count)]
    assert [api.open_wallet(account, balance=1000).status for account in accounts] == [201] * count
    api.close()
    return accounts
