"""Commands with short names: `transfer("a", "b", 5)`."""

from wallet_baselines.records import MoveMoney, TransferKind
from wallet_kernel.accounts import EXTERNAL, key_owner
from wallet_kernel.idempotency import fingerprint
from wallet_kernel.ids import new_transaction_id


def transfer(payer: str, payee: str, micros: int, key: str | None = None) -> MoveMoney:
    """Returns a transfer in USD."""
    return _command("transfer", payer, payee, micros, key)


def opening(account: str, micros: int = 0, key: str | None = None) -> MoveMoney:
    """Returns the opening of a wallet in USD."""
    return _command("opening", EXTERNAL, account, micros, key)


def withdrawal(account: str, micros: int, key: str | None = None) -> MoveMoney:
    """Returns a withdrawal in USD."""
    return _command("withdrawal", account, EXTERNAL, micros, key)


def _command(kind: TransferKind, payer: str, payee: str, micros: int, key: str | None) -> MoveMoney:
    meaning = fingerprint(key, kind, payee, micros, "USD")
    owner = key_owner(payer, payee)
    return MoveMoney(new_transaction_id(owner), kind, payer, payee, micros, "USD", key, meaning)
