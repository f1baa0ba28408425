"""The commands to a shard, and their outcomes.

Orchestrators send commands to workers, and may send any command again. A command with a transaction id is idempotent:
the shard then returns the first outcome.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from wallet_kernel.refusals import Refusal

TransferKind = Literal["transfer", "opening", "deposit", "withdrawal"]
TransferState = Literal["debited", "completed", "refunded", "refused"]


class Message(Struct, array_like=True, tag=True):
    """Base class of everything that services exchange as MessagePack: an array of a tag and the fields in their order.

    A tag never changes, also if its class gets another name, so that services of two versions understand each other.
    New fields need a default and come last.
    """


class DebitWallet(Message, tag="Debit"):
    """Debit the payer and log the saga, in one local transaction. RefundTransfer compensates it.

    `is_local` means that the shard also has the payee and performs the whole saga in this transaction (outcome Ended).
    A worker of an earlier version ignores it and only debits (outcome Done).
    """

    transaction_id: UUID
    from_account: str
    to_account: str
    amount_micros: int
    currency: str
    key: str | None = None
    fingerprint: bytes | None = None
    is_local: bool = False

    @property
    def account_id(self) -> str:
        """The wallet that the command changes."""
        return self.from_account


class CreditWallet(Message, tag="Credit"):
    """Credit the payee once. The barrier stores the outcome, including a refusal."""

    transaction_id: UUID
    from_account: str
    to_account: str
    amount_micros: int
    currency: str

    @property
    def account_id(self) -> str:
        """The wallet that the command changes."""
        return self.to_account


class CompleteTransfer(Message, tag="Complete"):
    """Record on the payer's shard that the payee has been credited. This ends the saga."""

    transaction_id: UUID
    account_id: str


class RefundTransfer(Message, tag="Refund"):
    """Return the money to the payer because the credit was refused. This ends the saga."""

    transaction_id: UUID
    account_id: str
    reason: Refusal


class OpenWallet(Message, tag="Open"):
    """Open a wallet. Its opening balance comes from the external account."""

    transaction_id: UUID
    account_id: str
    balance_micros: int
    currency: str
    key: str | None = None
    fingerprint: bytes | None = None


class Deposit(Message):
    """Move money from the external account into a wallet."""

    transaction_id: UUID
    account_id: str
    amount_micros: int
    currency: str
    key: str | None = None
    fingerprint: bytes | None = None


class Withdraw(Message):
    """Move money from a wallet to the external account."""

    transaction_id: UUID
    account_id: str
    amount_micros: int
    currency: str
    key: str | None = None
    fingerprint: bytes | None = None


class ChangeStatus(Message, tag="SetFrozen"):
    """Freeze or unfreeze a wallet."""

    account_id: str
    frozen: bool


class CloseWallet(Message, tag="Close"):
    """Close an empty wallet permanently."""

    account_id: str


class ReadWallet(Message, tag="Read"):
    """Read a wallet through the queue of the commands, so that cache entries are written in order of their versions."""

    account_id: str


class Flush(Message, tag="Pass"):
    """Change nothing. The outcome Done means that every earlier command in the queue has been decided."""

    @property
    def account_id(self) -> None:
        """No wallet."""


Payment = DebitWallet | OpenWallet | Deposit | Withdraw
"""The commands that begin a transaction. They may have an idempotency key."""

WalletCommand = (
    Payment | CreditWallet | CompleteTransfer | RefundTransfer | ChangeStatus | CloseWallet | ReadWallet
)
"""The commands to one wallet. The shard of `account_id` performs them."""

Command = WalletCommand | Flush


def command_name(command: type[Command]) -> str:
    """Returns the name of a command in metrics and traces, which is its tag."""
    return str(command.__struct_config__.tag)


def accounts_of(command: Command) -> tuple[str, ...]:
    """Returns the wallets of a command. The shard that performs it must own all of them."""
    if isinstance(command, DebitWallet) and command.is_local:
        return command.from_account, command.to_account
    return () if command.account_id is None else (command.account_id,)


class Done(Message):
    """The command is durable. It may have been done by an earlier attempt."""


class Ended(Message):
    """Outcome of a local DebitWallet: the payee was credited. With a reason, it refused, and the payer was refunded."""

    reason: Refusal | None = None


class Refused(Message):
    """The shard refused the command and moved no money. The log or the barrier stores the refusal of a payment."""

    reason: Refusal


class Replayed(Message):
    """The log already has the transaction id or idempotency key. `transfer` is that transfer's current record."""

    transfer: "TransferRecord"


class WalletState(Message):
    """A wallet as its shard stores it. `in_flight_micros` is the amount debited for transfers that have not ended."""

    account_id: str
    currency: str
    status: str
    balance_micros: int
    in_flight_micros: int
    version: int
    updated_at: datetime


class NotDone(Message):
    """The command was certainly not done: the database was unreachable or rejected it, or it waited too long."""


class TurnedAway(Message):
    """The worker's queue was full, so the command was certainly not done."""


class Unknown(Message):
    """The database did not confirm the commit, so the command may have been done. Send it again."""


class InFlight(Message):
    """Outcome of CloseWallet if the balance is 0 but some transfers of the wallet have not ended. Nothing was done."""


Outcome = Done | Ended | Refused | Replayed | WalletState | NotDone | TurnedAway | Unknown | InFlight


class TransferRecord(Message):
    """A row of the saga log. It holds everything that recovery needs."""

    transaction_id: UUID
    kind: TransferKind
    state: TransferState
    from_account: str
    to_account: str
    amount_micros: int
    currency: str
    key: str | None
    fingerprint: bytes | None
    reason: Refusal | None
    started_at: datetime
    ended_at: datetime | None
