"""Amounts in requests and responses: exact, bounded, never through a binary float."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.blackbox.api import Answer, WalletApi
from tests.blackbox.exact import MICRO, MONEY_MAX, Literal, number_texts
from tests.blackbox.names import FAR, NEAR, new_account
from tests.blackbox.pairs import Pair
from tests.blackbox.problems import assert_problem
from tests.blackbox.reading import balance_of

OpenWallet = Callable[..., str]
SLOWER_MAX = 50
"""A refusal may take at most this many times as long as a short one."""

EXACT: list[tuple[Any, str]] = [
    (Literal("10.234"), "10.234"),
    (Literal("1e1"), "10"),
    (Literal("1E+1"), "10"),
    (Literal("1.0000000"), "1"),
    (Literal("10.50"), "10.5"),
    ("10.50", "10.5"),
    ("10", "10"),
    ("1.0000000", "1"),
    (Literal("0.000001"), "0.000001"),
    (Literal("1e-6"), "0.000001"),
    ("0.000001", "0.000001"),
    (Literal("1234567e-6"), "1.234567"),
    (Literal("0.1"), "0.1"),
    (Literal("1000000000000e-18"), "0.000001"),
    (Literal("123.456789000"), "123.456789"),
    (Literal("1" + "0" * 3 + "e-3"), "1"),
    (Literal("10." + "0" * 40), "10"),
    (Literal("9223372036853.123457"), "9223372036853.123457"),
    ("9223372036853.123457", "9223372036853.123457"),
    (Literal("4611686018427.387903"), "4611686018427.387903"),
    (Literal("9007199254.740993"), "9007199254.740993"),
    (Literal("9223372036854.775807"), "9223372036854.775807"),
    (Literal("9223372036854775807e-6"), "9223372036854.775807"),
    (Literal("9.223372036854775807e12"), "9223372036854.775807"),
]
INEXACT: list[Any] = [
    Literal("10.1234567"),
    Literal("0.0000001"),
    Literal("1e-7"),
    "10.1234567",
    "0.0000001",
    Literal("9223372036853.1234567"),
    Literal("1." + "0" * 30 + "1"),
]
NOT_POSITIVE: list[Any] = [
    0,
    Literal("0.0"),
    Literal("-0"),
    Literal("-0.0"),
    Literal("0e10"),
    "0",
    "0.000000",
    -1,
    Literal("-0.000001"),
    Literal("-10.5"),
    Literal("-9223372036854.775808"),
    Literal("-1e400"),
]
OUT_OF_RANGE: list[Any] = [
    Literal("9223372036854.775808"),
    Literal("9223372036855"),
    Literal("1e13"),
    Literal("12345678901234.123456"),
    Literal("1e30"),
    Literal("9223372036854775807"),
    Literal("9223372036854775808"),
    Literal("18446744073709551617"),
    "9223372036854.775808",
    Literal("18446744073710.551616"),
    Literal("1e308"),
    Literal("1e309"),
    Literal("1e400"),
    Literal("1E400"),
    Literal("9" * 4000),
    "9" * 4000,
    "99999999999999999999",
]
HUGE: list[Any] = [
    Literal("1e999999999"),
    Literal("1e-999999999"),
    Literal("1e99999999999999999999"),
    Literal("1e-99999999999999999999"),
    Literal("-1e999999999"),
    Literal("9" * 60000),
    Literal("0." + "9" * 60000),
    Literal("0." + "0" * 60000 + "1"),
    "9" * 60000,
]
NOT_A_NUMBER: list[Any] = [
    Literal("NaN"),
    Literal("Infinity"),
    Literal("-Infinity"),
    Literal("nan"),
    Literal("0x10"),
    Literal("1_000"),
    Literal("01"),
    Literal(".5"),
    Literal("1."),
    Literal("+1"),
    Literal("1e"),
    Literal("\uff11"),
    "NaN",
    "Infinity",
    "-Infinity",
    "inf",
    "sNaN",
    "",
    " ",
    " 1",
    "1 ",
    "1\n",
    "+1",
    "-1",
    "1e1",
    "1E1",
    "1_0",
    "1,5",
    "0x10",
    "\uff11\uff10",
    "\u0661\u0662",
    "½",
    "1.2.3",
    "ten",
    "USD 1",
    "$1",
    Literal("null"),
    True,
    False,
    [],
    [1],
    {},
    {"value": 1},
    [[1]],
    Literal("[" * 20_000 + "]" * 20_000),
    Literal('{"a":' * 9_000 + "1" + "}" * 9_000),
]
REFUSED = INEXACT + NOT_POSITIVE + OUT_OF_RANGE + HUGE + NOT_A_NUMBER


def shown(amount: object) -> str:
    """A short test id that shows whether the value is a literal or a string."""
    text = str(amount) if isinstance(amount, Literal) else repr(amount)
    return text if len(text) <= 32 else f"{text[:12]}…{len(text)}"


@pytest.mark.parametrize(("amount", "moved"), EXACT, ids=[shown(given) for given, _ in EXACT])
def test_a_transfer_moves_exactly_what_was_written(
    api: WalletApi, open_wallet: OpenWallet, amount: object, moved: str
) -> None:
    """An amount is a JSON number or digit string with at most 6 decimal places, and exactly that value moves."""
    payer, payee = open_wallet(str(MONEY_MAX), slots=NEAR), open_wallet(0, slots=FAR)
    answer = api.transfer(payer, payee, amount)
    assert answer.status == 201, answer
    assert balance_of(api, payee) == Decimal(moved)
    assert balance_of(api, payer) == MONEY_MAX - Decimal(moved)
    assert api.transfer_document(answer.transaction_id or "").money("amount") == moved


@pytest.mark.parametrize(("amount", "moved"), EXACT, ids=[shown(given) for given, _ in EXACT])
def test_balances_are_written_exactly(api: WalletApi, amount: object, moved: str) -> None:
    """A balance in a response is an exact JSON number without exponent or trailing zeros, with at most 6 places."""
    account = new_account()
    created = api.open_wallet(account, balance=amount)
    assert created.status == 201, created
    assert created.money("balance") == api.balance(account).money("balance") == moved
    assert number_texts(api.statement(account).content, "balance") == [moved]
    assert number_texts(api.statement(account).content, "amount") == [moved]


@pytest.mark.parametrize(("amount", "moved"), EXACT[:6], ids=[shown(given) for given, _ in EXACT[:6]])
def test_deposits_and_withdrawals_move_exactly_what_was_written(
    api: WalletApi, open_wallet: OpenWallet, amount: object, moved: str
) -> None:
    """Deposits and withdrawals accept the same amounts as transfers."""
    account = open_wallet("0.000001")
    assert api.deposit(account, amount).status == 201
    assert balance_of(api, account) == Decimal(moved) + MICRO
    assert api.withdraw(account, amount).status == 201
    assert api.balance(account).money("balance") == "0.000001"


@pytest.mark.parametrize("amount", REFUSED, ids=shown)
def test_other_amounts_are_refused_and_move_nothing(api: WalletApi, still_pair: Pair, amount: object) -> None:
    """Any other amount (7 places, 0, negative, NaN, too large, other type) is a quick 422 that changes nothing."""
    _refused_fast(api, lambda: api.transfer(still_pair.payer, still_pair.payee, amount))
    _refused_fast(api, lambda: api.deposit(still_pair.payer, amount))
    _refused_fast(api, lambda: api.withdraw(still_pair.payer, amount))


@pytest.mark.parametrize(
    "balance", INEXACT + NOT_POSITIVE[7:] + OUT_OF_RANGE + HUGE + NOT_A_NUMBER, ids=shown
)
def test_other_opening_balances_are_refused(api: WalletApi, balance: object) -> None:
    """An opening balance follows the same rules but may be 0. A refused creation leaves no wallet."""
    account = new_account()
    _refused_fast(api, lambda: api.open_wallet(account, balance=balance))
    assert_problem(api.balance(account), "wallet-not-found")


def _refused_fast(api: WalletApi, send: Callable[[], Answer]) -> None:
    """Compare the quickest of five calls with that of a short invalid amount, because a busy machine slows both."""
    assert_problem(send(), "invalid-request")
    quick_s = _quickest_s(lambda: api.deposit("nobody", 0))
    assert _quickest_s(send) < SLOWER_MAX * quick_s


def _quickest_s(send: Callable[[], Answer]) -> float:
    return min(_duration_s(send) for _ in range(5))


def _duration_s(send: Callable[[], Answer]) -> float:
    began_s = time.monotonic()
    send()
    return time.monotonic() - began_s


def test_ten_times_a_tenth_is_one(api: WalletApi, open_wallet: OpenWallet) -> None:
    """Sums are exact: ten transfers of 0.1 empty a wallet of 1."""
    payer, payee = open_wallet(1, slots=NEAR), open_wallet(0, slots=FAR)
    for _ in range(10):
        assert api.transfer(payer, payee, Literal("0.1")).status == 201
    assert (api.balance(payer).money("balance"), api.balance(payee).money("balance")) == ("0", "1")


def test_example_of_the_specification_is_exact(api: WalletApi, open_wallet: OpenWallet) -> None:
    """A transfer of 10.234 moves exactly that from balances of 10000 and 10013.9659."""
    payer, payee = open_wallet(10000, slots=NEAR), open_wallet("10013.9659", slots=FAR)
    assert api.transfer(payer, payee, Literal("10.234")).status == 201
    assert api.balance(payer).money("balance") == "9989.766"
    assert api.balance(payee).money("balance") == "10024.1999"
    assert api.deposit(payee, Literal("0.0001")).status == 201
    assert api.balance(payee).money("balance") == "10024.2"


@pytest.mark.parametrize(
    "micros", [1, 10, 100_000, 999_999, 1_000_000, 1_000_001, 10**12, 10**18, 2**53 + 1, 2**62 + 1, 2**63 - 1]
)
def test_balances_of_every_magnitude_have_no_exponent(api: WalletApi, micros: int) -> None:
    """Balances from a millionth to the limit consist of digits and at most one decimal point."""
    plain = format(Decimal(micros).scaleb(-6).normalize(), "f")
    assert api.open_wallet(new_account(), balance=Decimal(micros).scaleb(-6)).money("balance") == plain
