"""The messages between services, as services of another version send and read them."""

from uuid import UUID

import pytest
from msgspec import Struct
from msgspec.msgpack import decode, encode
from msgspec.structs import replace

import wallet_saga.messages  # noqa: F401 -- defines the queries
from wallet_kernel.refusals import Refusal
from wallet_saga.domain.commands import (
    ChangeStatus,
    CloseWallet,
    Command,
    CompleteTransfer,
    CreditWallet,
    DebitWallet,
    Deposit,
    Flush,
    Message,
    OpenWallet,
    ReadWallet,
    RefundTransfer,
    Withdraw,
    command_name,
)

ID = UUID(int=1)
TEXT = str(ID)
COMMANDS: list[tuple[Command, list[object]]] = [
    (DebitWallet(ID, "a", "b", 1, "USD", "k", b"f"), ["Debit", TEXT, "a", "b", 1, "USD", "k", b"f", False]),
    (CreditWallet(ID, "a", "b", 1, "USD"), ["Credit", TEXT, "a", "b", 1, "USD"]),
    (CompleteTransfer(ID, "a"), ["Complete", TEXT, "a"]),
    (RefundTransfer(ID, "a", Refusal.WALLET_FROZEN), ["Refund", TEXT, "a", "wallet-frozen"]),
    (OpenWallet(ID, "a", 1, "USD", "k", b"f"), ["Open", TEXT, "a", 1, "USD", "k", b"f"]),
    (Deposit(ID, "a", 1, "USD", None, None), ["Deposit", TEXT, "a", 1, "USD", None, None]),
    (Withdraw(ID, "a", 1, "USD", None, None), ["Withdraw", TEXT, "a", 1, "USD", None, None]),
    (ChangeStatus("a", frozen=True), ["SetFrozen", "a", True]),
    (CloseWallet("a"), ["Close", "a"]),
    (ReadWallet("a"), ["Read", "a"]),
    (Flush(), ["Pass"]),
]


@pytest.mark.parametrize(("command", "message"), COMMANDS, ids=[type(c).__name__ for c, _ in COMMANDS])
def test_commands_have_the_same_form_in_every_version(command: Command, message: list[object]) -> None:
    """A command is an array of its tag and its fields, as in the first version, so all versions work together."""
    assert decode(encode(command)) == message
    assert decode(encode(message), type=Command) == command
    assert command_name(type(command)) == message[0]


class FirstDebit(Struct, array_like=True, tag="Debit"):
    """DebitWallet as services of the first version know it."""

    transaction_id: UUID
    from_account: str
    to_account: str
    amount_micros: int
    currency: str
    key: str | None = None
    fingerprint: bytes | None = None


@pytest.mark.parametrize("is_local", [False, True])
def test_debit_is_understood_by_both_versions(is_local: bool) -> None:
    """A service of the first version ignores `is_local`. Its own debits are not local."""
    old = FirstDebit(ID, "a", "b", 1, "USD", "k", b"f")
    new = DebitWallet(ID, "a", "b", 1, "USD", "k", b"f", is_local)
    assert decode(encode(new), type=FirstDebit) == old
    assert decode(encode(old), type=Command) == replace(new, is_local=False)


def test_tags_are_the_same_in_every_version() -> None:
    """No tag is renamed or removed: services of an older version may still send or expect it."""
    tags = {str(message.__struct_config__.tag) for message in Message.__subclasses__()}
    commands = {
        "Debit", "Credit", "Complete", "Refund", "Open", "Deposit", "Withdraw", "SetFrozen", "Close", "Read", "Pass",
    }  # fmt: skip
    outcomes = {
        "Done", "Ended", "Refused", "Replayed", "WalletState", "NotDone", "TurnedAway", "Unknown", "InFlight",
    }  # fmt: skip
    records = {"TransferRecord", "CreditRecord", "LedgerEntry"}
    queries = {
        "Misdirected", "Claim", "OpenSagas", "BalanceAt", "Statement", "Lookup", "Postings", "FutureMoment",
    }  # fmt: skip
    assert tags >= commands | outcomes | records | queries
