"""Refused transfers: each has a reason, a document, and no net effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest

from tests.blackbox.api import Answer, WalletApi
from tests.blackbox.exact import MICRO, MONEY_MAX
from tests.blackbox.names import FAR, NEAR, new_account
from tests.blackbox.pairs import NEAR_AND_FAR
from tests.blackbox.problems import assert_problem
from tests.blackbox.reading import balance_of, net_effect, unexplained, whole_statement
from tests.blackbox.stack import Stack

OpenWallet = Callable[..., str]


@dataclass(frozen=True)
class Case:
    """A transfer (10 USD by default) that must be refused for the given reason."""

    reason: str
    payer: dict[str, str] | None
    payee: dict[str, str] | None
    amount: Decimal = Decimal(10)
    currency: str = "USD"


FULL, GOOD = {"balance": str(MONEY_MAX)}, {"balance": "100"}
BY_PAYER = {
    "payer-unknown": Case("wallet-not-found", None, GOOD),
    "both-unknown": Case("wallet-not-found", None, None),
    "payer-frozen": Case("wallet-frozen", GOOD | {"status": "frozen"}, GOOD),
    "payer-closed": Case("wallet-closed", {"status": "closed"}, GOOD),
    "payer-in-another-currency": Case("currency-mismatch", GOOD | {"currency": "EUR"}, GOOD),
    "payer-has-a-micro-too-little": Case("insufficient-funds", {"balance": "9.999999"}, GOOD),
    "payer-has-nothing": Case("insufficient-funds", {}, GOOD),
    "payer-asked-for-everything": Case("insufficient-funds", GOOD, GOOD, MONEY_MAX),
}
BY_PAYEE = {
    "payee-unknown": Case("wallet-not-found", GOOD, None),
    "payee-frozen": Case("wallet-frozen", GOOD, GOOD | {"status": "frozen"}),
    "payee-closed": Case("wallet-closed", GOOD, {"status": "closed"}),
    "payee-in-another-currency": Case("currency-mismatch", GOOD, GOOD | {"currency": "EUR"}),
    "payee-full": Case("balance-limit", GOOD, FULL),
    "payee-full-by-a-micro": Case("balance-limit", GOOD, {"balance": str(MONEY_MAX - 10 + MICRO)}),
    "both-in-another-currency": Case("currency-mismatch", GOOD, GOOD, currency="GBP"),
}
ORDER = {
    "closed-before-currency": Case("wallet-closed", {"status": "closed", "currency": "EUR"}, GOOD),
    "frozen-before-currency": Case("wallet-frozen", GOOD | {"status": "frozen", "currency": "EUR"}, GOOD),
    "frozen-before-funds": Case("wallet-frozen", {"status": "frozen"}, GOOD),
    "currency-before-funds": Case("currency-mismatch", {"currency": "EUR"}, GOOD),
    "payee-closed-before-currency": Case("wallet-closed", GOOD, {"status": "closed", "currency": "EUR"}),
    "payee-frozen-before-currency": Case(
        "wallet-frozen", GOOD, GOOD | {"status": "frozen", "currency": "EUR"}
    ),
    "payee-frozen-before-limit": Case("wallet-frozen", GOOD, FULL | {"status": "frozen"}),
    "payee-currency-before-limit": Case("currency-mismatch", GOOD, FULL | {"currency": "EUR"}),
}
ALL = BY_PAYER | BY_PAYEE | ORDER


@dataclass(frozen=True)
class Refused:
    """A refused transfer with its payer and payee."""

    payer: str
    payee: str
    answer: Answer
    known: dict[str, Decimal]


@pytest.fixture(params=NEAR_AND_FAR)
def refuse(
    request: pytest.FixtureRequest, api: WalletApi, open_wallet: OpenWallet
) -> Callable[[Case], Refused]:
    """Prepares a case, first on one shard, then on two, and sends its transfer."""

    def refused(case: Case) -> Refused:
        payer = new_account(NEAR) if case.payer is None else open_wallet(slots=NEAR, **case.payer)
        payee = (
            new_account(request.param)
            if case.payee is None
            else open_wallet(slots=request.param, **case.payee)
        )
        sides = ((payer, case.payer), (payee, case.payee))
        known = {name: balance_of(api, name) for name, wallet in sides if wallet is not None}
        return Refused(payer, payee, api.transfer(payer, payee, case.amount, case.currency), known)

    return refused


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_a_refusal_names_its_reason_and_moves_nothing(
    api: WalletApi, refuse: Callable[[Case], Refused], case: Case
) -> None:
    """Reasons are checked in the order not found, closed, frozen, currency, funds or limit. There is no net effect."""
    refused = refuse(case)
    assert_problem(refused.answer, case.reason)
    transaction = refused.answer.transaction_id
    assert transaction
    for account, balance in refused.known.items():
        statement = whole_statement(api, account)
        assert balance_of(api, account) == balance
        assert net_effect(statement, transaction) == 0
        assert unexplained(statement, balance) == []


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_a_refused_transfer_can_be_looked_up(
    api: WalletApi, refuse: Callable[[Case], Refused], case: Case
) -> None:
    """A transfer that passed validation can be looked up: it is ``refused``, and its reason is the problem's type."""
    refused = refuse(case)
    found = api.transfer_document(refused.answer.transaction_id or "")
    assert found.status == 200, found
    assert (found.document["status"], found.document["reason"]) == ("refused", f"/problems/{case.reason}")
    assert found.document["transactionId"] == refused.answer.transaction_id
    assert (found.document["fromAccount"], found.document["toAccount"]) == (refused.payer, refused.payee)
    assert (found.document["amount"], found.document["currency"]) == (case.amount, case.currency)


@pytest.mark.parametrize(
    "case",
    [case for case in BY_PAYEE.values() if case.currency == "USD"],
    ids=[name for name, case in BY_PAYEE.items() if case.currency == "USD"],
)
def test_a_compensated_transfer_shows_debit_and_refund(
    api: WalletApi, stack: Stack, refuse: Callable[[Case], Refused], case: Case
) -> None:
    """If the saga debits and then refuses, the timeline and the payer's statement show debit and refund."""
    if stack.architecture != "saga":
        pytest.skip("only a saga compensates; in cqrs a refusal is a single decision")
    refused = refuse(case)
    transaction = refused.answer.transaction_id or ""
    steps = [step["step"] for step in api.transfer_document(transaction).document["timeline"]]
    assert steps.index("debit") < steps.index("refund")
    entries = [
        entry for entry in whole_statement(api, refused.payer) if entry["transactionId"] == transaction
    ]
    assert [(entry["kind"], entry["amount"]) for entry in entries] == [("refund", 10), ("transfer", -10)]
    assert {entry["counterparty"] for entry in entries} == {refused.payee}


@pytest.mark.parametrize("case", BY_PAYER.values(), ids=BY_PAYER)
def test_a_payers_refusal_leaves_no_posting(
    api: WalletApi, refuse: Callable[[Case], Refused], case: Case
) -> None:
    """If the payer's wallet refuses a transfer, neither wallet gets an entry or a version."""
    refused = refuse(case)
    for account in refused.known:
        ids = [entry["transactionId"] for entry in whole_statement(api, account)]
        assert refused.answer.transaction_id not in ids


def test_a_wallet_cannot_pay_itself(api: WalletApi, open_wallet: OpenWallet) -> None:
    """FromAccount and toAccount must differ: otherwise 422, and the wallet does not change."""
    account = open_wallet(100)
    assert_problem(api.transfer(account, account, 1), "invalid-request")
    assert api.balance(account).document["version"] == 1


def test_a_refused_payee_is_not_opened_by_being_named(api: WalletApi, open_wallet: OpenWallet) -> None:
    """A transfer to or from an unknown account does not create the account."""
    account = new_account(FAR)
    assert_problem(api.transfer(open_wallet(100, slots=NEAR), account, 1), "wallet-not-found")
    assert_problem(api.balance(account), "wallet-not-found")
    assert api.open_wallet(account).status == 201


def test_a_wallet_filled_to_the_limit_can_still_pay(api: WalletApi, open_wallet: OpenWallet) -> None:
    """The limit is inclusive: a credit may reach it exactly, and the wallet still works."""
    payer, payee = open_wallet(10, slots=NEAR), open_wallet(str(MONEY_MAX - 10), slots=FAR)
    assert api.transfer(payer, payee, 10).status == 201
    assert api.balance(payee).money("balance") == str(MONEY_MAX)
    assert api.transfer(payee, payer, MONEY_MAX - 1).status == 201
    assert balance_of(api, payee) == 1
