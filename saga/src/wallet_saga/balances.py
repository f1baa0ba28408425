"""The formats of a balance that both services share: the document for clients, and the entry in Redis."""

from wallet_kernel.contract.responses import WalletView
from wallet_saga.messages import WalletState

PROBE_KEY = "probe:worker"
"""The key that workers write to find out whether Redis accepts writes. No wallet has this key."""


def wallet_view(wallet: WalletState) -> WalletView:
    """Returns a wallet as clients see it."""
    return WalletView(
        wallet.account_id,
        wallet.currency,
        wallet.balance_micros,
        wallet.version,
        wallet.status,
        wallet.updated_at,
    )


def cache_key(account_id: str) -> str:
    """Returns the Redis key of a wallet."""
    return f"wallet:{account_id}"


def cache_entry(version: int, body: bytes) -> bytes:
    """Returns a wallet's Redis entry: the version, which orders competing writes, and the document for clients."""
    return b"%d %s" % (version, body)


def cached_body(entry: bytes) -> bytes:
    """Returns the wallet document in an entry."""
    return entry.partition(b" ")[2]
