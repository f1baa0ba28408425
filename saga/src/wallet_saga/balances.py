"""A balance as both services know it: how clients see it, and how it lies in Redis."""

from wallet_kernel.contract.answers import WalletView
from wallet_saga.protocol import WalletState

PROBE_KEY = "probe:worker"
"""The key that workers write to see whether Redis takes writes. No wallet's key is like it."""


def wallet_view(wallet: WalletState) -> WalletView:
    """What clients see of a wallet."""
    return WalletView(
        wallet.account_id,
        wallet.currency,
        wallet.balance_micros,
        wallet.version,
        wallet.status,
        wallet.updated_at,
    )


def cache_key(account_id: str) -> str:
    """The key of a wallet's entry."""
    return f"wallet:{account_id}"


def cache_entry(version: int, body: bytes) -> bytes:
    """A wallet's entry: its version, which decides between two writers, and the document to answer with."""
    return b"%d %s" % (version, body)


def cached_body(entry: bytes) -> bytes:
    """The wallet document of an entry."""
    return entry.partition(b" ")[2]
