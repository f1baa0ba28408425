"""Common reads of a wallet: its state, its whole statement, its net movement."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from tests.blackbox.api import Answer, WalletApi

Entry = dict[str, Any]


@dataclass(frozen=True)
class WalletState:
    """The state that a balance read shows. Two states are equal if nothing happened between them."""

    balance: Decimal
    version: int
    status: str


def state_of(answer: Answer) -> WalletState:
    """The state in a wallet document."""
    assert answer.status in (200, 201), answer
    document = answer.document
    return WalletState(Decimal(document["balance"]), document["version"], document["status"])


def wallet_state(api: WalletApi, account: str) -> WalletState:
    """The current state of a wallet."""
    return state_of(api.balance(account))


def balance_of(api: WalletApi, account: str) -> Decimal:
    """The current balance of a wallet."""
    return wallet_state(api, account).balance


def whole_statement(api: WalletApi, account: str, limit: int = 500) -> list[Entry]:
    """Every posting of a wallet, newest first, collected page by page."""
    entries: list[Entry] = []
    cursor: str | None = None
    while True:
        page = page_of(api.statement(account, limit, cursor))
        entries += page["items"]
        cursor = page.get("nextCursor")
        if cursor is None:
            return entries
        assert page["items"], "a page with a nextCursor must not be empty"


def page_of(answer: Answer) -> Entry:
    """The page in a statement's answer."""
    assert answer.status == 200, answer
    return answer.document


def net_effect(entries: list[Entry], transaction_id: str) -> Decimal:
    """The net effect of one transaction on the wallet of this statement."""
    return sum(
        (Decimal(entry["amount"]) for entry in entries if entry["transactionId"] == transaction_id), Decimal()
    )


def unexplained(entries: list[Entry], balance: Decimal) -> list[str]:
    """The entries of a statement that do not add up to the balance. An empty list is good."""
    newest = Decimal(entries[0]["balance"]) if entries else Decimal()
    found = [] if newest == balance else [f"the balance is {balance}, the newest entry says {newest}"]
    for newer, older in pairwise([*entries, {"balance": 0, "version": 0, "amount": 0}]):
        if Decimal(newer["balance"]) != Decimal(older["balance"]) + Decimal(newer["amount"]):
            found.append(f"{newer} does not follow from {older}")
        if newer["version"] <= older["version"]:
            found.append(f"the version of {newer} is not above that of {older}")
    return found
