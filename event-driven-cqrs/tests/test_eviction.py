"""Wallets in memory are bounded, at a constant cost for each wallet."""

from datetime import UTC, datetime

from wallet_cqrs.command.wallet_cache import WalletCache
from wallet_cqrs.domain.wallet import Wallet, evolve, initial_state
from wallet_cqrs.events import WalletOpened
from wallet_cqrs.eviction import evict

AT = datetime(2026, 1, 1, tzinfo=UTC)


def wallets(begin: int, end: int) -> dict[str, Wallet]:
    """Returns wallets whose names are the numbers from `begin` up to `end`."""
    return {str(number): Wallet(str(number), "USD", "active", 5, 1, AT) for number in range(begin, end)}


def copy_of(text: str) -> str:
    """Returns another string with the same characters, as a decoder does."""
    return text.encode().decode()


def test_first_wallets_are_evicted() -> None:
    """A memory above its bound loses the wallets that were added first. A memory at its bound loses none."""
    full = wallets(0, 32)
    evict(full, 32)
    assert len(full) == 32
    full |= wallets(32, 33)
    evict(full, 32)
    assert list(full) == [str(number) for number in range(3, 33)]


def test_one_eviction_makes_room_for_many_wallets() -> None:
    """Evictions are rare, because each one searches for the first wallet. Single wallets share an eviction."""
    full, evictions = wallets(0, 1600), 0
    for number in range(1600, 2600):
        full |= wallets(number, number + 1)
        before = len(full)
        evict(full, 1600)
        evictions += len(full) < before
        assert len(full) <= 1600
    assert evictions <= 10


def test_wallets_in_memory_share_their_strings() -> None:
    """A wallet's name is in memory once, and all wallets share the string of their currency."""
    cache = WalletCache(10)
    for name in ("alice", "bob"):
        wallet = evolve(initial_state(name), WalletOpened(copy_of("USD"), 5), AT)
        cache.committed(1, {copy_of(name): wallet})
    assert all(name is wallet.account_id for name, wallet in cache.wallets.items())
    assert cache.wallets["alice"].currency is cache.wallets["bob"].currency
