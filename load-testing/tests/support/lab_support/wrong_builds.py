"""Simulated builds with one defect each. Derived data agree with the books, so only clients can notice the defect."""

from collections.abc import Sequence
from typing import Any

from lab_support.honest_history import History, Row, Wallet


class SwappedParties(History):
    """Takes the money from the payee and gives it to the payer."""

    def record(
        self, kind: str, payer: str, payee: str, amount: int, currency: str, *, key: str | None
    ) -> Row:
        """Record a transfer with its parties swapped."""
        if kind == "transfer" and payee in self.wallets:
            payer, payee = payee, payer
        return super().record(kind, payer, payee, amount, currency, key=key)


class ConstantReads(History):
    """Answers every read with the first wallet that it ever showed."""

    constant: tuple[Wallet, Sequence[Row]] | None = None

    def answer_wallet(self, call: Row, wallet: Wallet | None, entries: Sequence[Row], **more: Any) -> None:
        """Answer with the constant."""
        if self.constant is None and wallet is not None and entries:
            self.constant = wallet, list(entries)
        super().answer_wallet(call, *(self.constant or (wallet, entries)), **more)


class DoubledCredit(History):
    """Credits the payee twice."""

    def post(self, wallet: Wallet, amount: int, kind: str, transfer: Row, counterparty: str) -> None:
        """Post a credit of a transfer twice."""
        super().post(wallet, amount, kind, transfer, counterparty)
        if kind == "transfer" and amount > 0:
            super().post(wallet, amount, kind, transfer, counterparty)


class LostRefund(History):
    """Ends a compensated saga without giving the money back."""

    def post(self, wallet: Wallet, amount: int, kind: str, transfer: Row, counterparty: str) -> None:
        """Post everything but refunds."""
        if kind != "refund":
            super().post(wallet, amount, kind, transfer, counterparty)


class StaleReads(History):
    """Hides the newest change of a wallet from reads."""

    def answer_wallet(self, call: Row, wallet: Wallet | None, entries: Sequence[Row], **more: Any) -> None:
        """Answer with the wallet before its last change."""
        super().answer_wallet(call, wallet, entries[:-1] or entries, **more)


class SpuriousRefusals(History):
    """Refuses payments although the payer has enough."""

    def refusal(
        self, transfer: Row, payer: Wallet | None, payee: Wallet | None
    ) -> tuple[str | None, str | None]:
        """Refuse every third payment."""
        reason, by = super().refusal(transfer, payer, payee)
        if reason is None and transfer["kind"] == "transfer" and self.random.random() < 0.3:
            return "insufficient-funds", transfer["payer"]
        return reason, by


class RefusedButApplied(History):
    """Answers that a deposit is refused, but makes it."""

    def answer_decided(self, call: Row, transfer: Row, *, replayed: bool = False) -> None:
        """Answer deposits with a refusal."""
        if transfer["kind"] == "deposit" and not transfer["reason"]:
            transfer = transfer | {"reason": "wallet-frozen"}
        super().answer_decided(call, transfer, replayed=replayed)


class KeyIgnored(History):
    """Does a repeated request again, under a new id and without the key."""

    def arrive(self, call: Row) -> None:
        """Forget the key of a repeated request."""
        if call["key"] and (call["account"], call["key"]) in self.keys:
            self.decide_money(call | {"key": None})
        else:
            super().arrive(call)


class WrongCounterparty(History):
    """Writes another wallet as the counterparty of a credit."""

    def post(self, wallet: Wallet, amount: int, kind: str, transfer: Row, counterparty: str) -> None:
        """Post with another counterparty."""
        other = "w4" if kind == "transfer" and amount > 0 and counterparty != "w4" else counterparty
        super().post(wallet, amount, kind, transfer, other)


class RoundedCents(History):
    """Drops fractions of a cent when it credits the payee."""

    def post(self, wallet: Wallet, amount: int, kind: str, transfer: Row, counterparty: str) -> None:
        """Post credits rounded down to cents."""
        rounded = amount - amount % 10_000 if kind == "transfer" and amount > 0 else amount
        if rounded or kind == "opening":
            super().post(wallet, rounded, kind, transfer, counterparty)


class FrozenForReadsOnly(History):
    """Lets frozen wallets pay and be paid."""

    def refusal(
        self, transfer: Row, payer: Wallet | None, payee: Wallet | None
    ) -> tuple[str | None, str | None]:
        """Ignore the status."""
        reason, by = super().refusal(transfer, payer, payee)
        return (None, None) if reason == "wallet-frozen" and payer and payee else (reason, by)


class OverdraftAllowed(History):
    """Pays more than the balance of the wallet."""

    def refusal(
        self, transfer: Row, payer: Wallet | None, payee: Wallet | None
    ) -> tuple[str | None, str | None]:
        """Ignore the funds."""
        reason, by = super().refusal(transfer, payer, payee)
        return (None, None) if reason == "insufficient-funds" and payee else (reason, by)


WRONG_BUILDS = (
    SwappedParties,
    ConstantReads,
    DoubledCredit,
    LostRefund,
    StaleReads,
    SpuriousRefusals,
    RefusedButApplied,
    KeyIgnored,
    WrongCounterparty,
    RoundedCents,
    FrozenForReadsOnly,
    OverdraftAllowed,
)
