"""GET /transfers/{transactionId}: the outcome of a transfer and its timeline."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from urllib.parse import quote

import pytest

from tests.blackbox.api import WalletApi
from tests.blackbox.names import new_key
from tests.blackbox.pairs import Pair
from tests.blackbox.problems import assert_complete, assert_problem

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def test_acknowledged_transfer_is_found_by_the_first_lookup(api: WalletApi, pair: Pair) -> None:
    """The first lookup of an acknowledged transfer says ``success`` and contains all the members of the request."""
    transaction = api.transfer(pair.payer, pair.payee, "10.50").transaction_id or ""
    answer = api.transfer_document(transaction)
    assert answer.status == 200
    document = answer.document
    assert (document["transactionId"], document["status"]) == (transaction, "success")
    assert (document["fromAccount"], document["toAccount"]) == (pair.payer, pair.payee)
    assert (answer.money("amount"), document["currency"]) == ("10.5", "USD")
    assert document.get("reason") is None


@pytest.mark.parametrize("amount", [1, 1000])
def test_timeline_lists_the_steps_in_order(api: WalletApi, pair: Pair, amount: int) -> None:
    """Each step of a timeline has a name and an RFC 3339 time. Times never decrease, also in refused transfers."""
    transaction = api.transfer(pair.payer, pair.payee, amount).transaction_id or ""
    timeline = api.transfer_document(transaction).document["timeline"]
    assert timeline
    assert all(step["step"] and RFC3339.fullmatch(step["at"]) for step in timeline)
    times = [datetime.fromisoformat(step["at"]) for step in timeline]
    assert times == sorted(times)


def test_an_unknown_transfer_is_not_found(api: WalletApi) -> None:
    """An unknown transaction id is a 404."""
    for transaction in (uuid.uuid4(), uuid.uuid1(), uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)):
        assert_problem(api.transfer_document(str(transaction)), "transfer-not-found")


def test_transfer_is_found_under_one_spelling_of_its_id_only(api: WalletApi, pair: Pair) -> None:
    """An id in capitals, without hyphens, in braces, with a sign or with non-ASCII digits is a 404."""
    transaction = str(api.transfer(pair.payer, pair.payee, 1).transaction_id)
    assert api.transfer_document(transaction).status == 200
    for other in (
        transaction.upper(),
        transaction.replace("-", ""),
        f"{{{transaction}}}",
        f"urn:uuid:{transaction}",
        "+" + transaction[1:],
        transaction.translate({ord("0") + digit: chr(0x660 + digit) for digit in range(10)}),
    ):
        assert_problem(api.transfer_document(quote(other, safe="")), "transfer-not-found")


@pytest.mark.parametrize(
    "text", ["nope", "1", "00000000-0000-0000-0000-00000000000", "{}", "null", " ", "a" * 300]
)
def test_malformed_transaction_id_is_not_found(api: WalletApi, text: str) -> None:
    """Text that cannot be a transaction id is a 404 or a 422."""
    answer = api.transfer_document(text)
    assert answer.status in (404, 422)
    assert_complete(answer)


def test_validation_failure_creates_no_transfer(api: WalletApi, pair: Pair) -> None:
    """A request that fails validation creates no transfer, and its problem has no transactionId."""
    answer = api.transfer(pair.payer, pair.payee, -1, key=new_key())
    assert_problem(answer, "invalid-request")
    assert answer.transaction_id is None


def test_a_replay_names_the_same_transfer(api: WalletApi, pair: Pair) -> None:
    """A replay names the same transaction as the first answer, and there is only one transfer."""
    key = new_key()
    first, again = (api.transfer(pair.payer, pair.payee, 1, key=key) for _ in range(2))
    assert (
        api.transfer_document(first.transaction_id or "").content
        == api.transfer_document(again.transaction_id or "").content
    )
