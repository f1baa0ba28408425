"""The commands to change one or two wallets. Amounts are micros (10^-6)."""

from msgspec import Struct


class Command(Struct, frozen=True, gc=False):
    """A request to change one or two wallets."""


class TransferMoney(Command, frozen=True, gc=False):
    """Move money from one wallet to another."""

    from_account: str
    to_account: str
    amount_micros: int
    currency: str


class OpenWallet(Command, frozen=True, gc=False):
    """Open a wallet with a balance from the external account. The balance may be 0."""

    account_id: str
    balance_micros: int
    currency: str


class Deposit(Command, frozen=True, gc=False):
    """Move money from the external account into a wallet."""

    account_id: str
    amount_micros: int
    currency: str


class Withdraw(Command, frozen=True, gc=False):
    """Move money from a wallet to the external account."""

    account_id: str
    amount_micros: int
    currency: str


class FreezeWallet(Command, frozen=True, gc=False):
    """Block the wallet from sending and receiving money."""

    account_id: str


class UnfreezeWallet(Command, frozen=True, gc=False):
    """Allow the wallet to send and receive money again."""

    account_id: str


class CloseWallet(Command, frozen=True, gc=False):
    """Close an empty wallet permanently."""

    account_id: str
