"""Bounds the wallets that a service keeps in memory. Pure, no I/O."""

from itertools import islice

from wallet_cqrs.domain.wallet import Wallet

SPARE = 16
"""A full memory is emptied by one part in so many."""


def evict(wallets: dict[str, Wallet], wallets_max: int) -> None:
    """If there are more than `wallets_max` wallets, deletes the first ones: those beyond it, and a sixteenth of it.

    To find its first key, a dict searches over the keys that were deleted before it. So each search deletes many.
    """
    excess = len(wallets) - wallets_max
    if excess > 0:
        for account_id in list(islice(wallets, excess + wallets_max // SPARE)):
            del wallets[account_id]
