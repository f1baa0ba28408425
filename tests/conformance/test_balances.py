"""GET /wallets/{accountId}/balance, now and at past times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from tests.blackbox.api import Call, WalletApi
from tests.blackbox.names import FAR, NEAR
from tests.blackbox.pairs import Pair
from tests.blackbox.problems import assert_complete, assert_problem
from tests.blackbox.reading import balance_of, whole_statement

OpenWallet = Callable[..., str]
MICROSECOND = timedelta(microseconds=1)


def moment(text: str) -> datetime:
    """Parse the time in an answer."""
    return datetime.fromisoformat(text)


def test_the_wallets_own_currency_may_be_asked_for(api: WalletApi, open_wallet: OpenWallet) -> None:
    """``?currency=`` with the wallet's own currency changes nothing."""
    account = open_wallet(5, "EUR")
    assert api.balance(account, currency="EUR").document == api.balance(account).document


def test_another_currency_is_a_mismatch(api: WalletApi, open_wallet: OpenWallet) -> None:
    """``?currency=`` with another currency than the wallet's is a 409."""
    account = open_wallet(5, "EUR")
    assert_problem(api.balance(account, currency="USD"), "currency-mismatch")
    assert_problem(
        api.balance(account, currency="USD", at=api.balance(account).document["lastUpdated"]),
        "currency-mismatch",
    )


def test_unknown_currency_is_refused(api: WalletApi, open_wallet: OpenWallet) -> None:
    """``?currency=`` with an unknown currency is refused as a mismatch or as invalid."""
    account = open_wallet(5)
    for currency in ("XXX", "usd", ""):
        assert_problem(api.balance(account, currency=currency), "currency-mismatch", "invalid-request")


def test_every_past_version_can_be_reproduced(api: WalletApi, pair: Pair) -> None:
    """``?at=`` the time of a posting returns the balance and version right after that posting."""
    for turn in range(1, 5):
        api.transfer(pair.payer, pair.payee, turn)
        api.deposit(pair.payer, Decimal("0.000001"))
        api.withdraw(pair.payee, Decimal("0.5"))
    for account in (pair.payer, pair.payee):
        for entry in _newest_per_moment(whole_statement(api, account)):
            past = api.balance(account, at=entry["at"])
            assert past.status == 200, past
            assert past.document["accountId"] == account
            assert (past.document["balance"], past.document["version"]) == (
                entry["balance"],
                entry["version"],
            )


def _newest_per_moment(entries: list[dict[str, str]]) -> list[dict[str, str]]:
    """The last posting of each distinct time. Statements list the newest posting first."""
    return list({entry["at"]: entry for entry in reversed(entries)}.values())


def test_time_between_two_postings_shows_the_earlier_one(api: WalletApi, pair: Pair) -> None:
    """A microsecond before a posting, ``?at=`` returns the balance before it."""
    api.transfer(pair.payer, pair.payee, 10)
    for account, before in ((pair.payer, 100), (pair.payee, 50)):
        at = moment(whole_statement(api, account)[0]["at"]) - MICROSECOND
        past = api.balance(account, at=at.isoformat())
        assert (past.document["balance"], past.document["version"]) == (before, 1)


def test_later_postings_do_not_change_past_balances(api: WalletApi, pair: Pair) -> None:
    """Later postings do not change the balance at a past time."""
    api.transfer(pair.payer, pair.payee, 10)
    at = whole_statement(api, pair.payer)[0]["at"]
    first = api.balance(pair.payer, at=at).document
    api.transfer(pair.payee, pair.payer, 60)
    api.set_status(pair.payer, "frozen")
    again = api.balance(pair.payer, at=at).document
    assert (again["balance"], again["version"]) == (first["balance"], first["version"]) == (90, 2)


def test_past_balances_match_their_entries_after_a_compensation(
    api: WalletApi, open_wallet: OpenWallet
) -> None:
    """After a refused and compensated transfer, the balance at each posting's time equals that entry's balance."""
    payer = open_wallet(100, slots=NEAR)
    api.transfer(payer, open_wallet(0, "EUR", slots=FAR), 10)
    for entry in _newest_per_moment(whole_statement(api, payer)):
        assert api.balance(payer, at=entry["at"]).document["balance"] == entry["balance"]


def test_times_never_run_backwards_within_a_wallet(api: WalletApi, pair: Pair) -> None:
    """The database sets the times of postings. They grow with the version, and lastUpdated is the newest."""
    for _ in range(10):
        api.transfer(pair.payer, pair.payee, 1)
    for account in (pair.payer, pair.payee):
        times = [moment(entry["at"]) for entry in whole_statement(api, account)]
        assert times == sorted(times, reverse=True)
        assert moment(api.balance(account).document["lastUpdated"]) == times[0]


def test_any_time_zone_is_accepted(api: WalletApi, open_wallet: OpenWallet) -> None:
    """``?at=`` accepts any time zone: the same instant gives the same balance."""
    account = open_wallet(5)
    at = moment(api.balance(account).document["lastUpdated"])
    api.deposit(account, 1)
    for zone in (UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=9, minutes=30))):
        assert api.balance(account, at=at.astimezone(zone).isoformat()).document["balance"] == 5
    utc = at.astimezone(UTC).replace(tzinfo=None).isoformat()
    assert api.balance(account, at=f"{utc}Z").document["balance"] == 5


def test_balance_before_the_opening_is_not_found(api: WalletApi, open_wallet: OpenWallet) -> None:
    """``?at=`` before the wallet was opened is a 404, even by a microsecond."""
    account = open_wallet(5)
    opened = moment(whole_statement(api, account)[0]["at"])
    for at in (opened - MICROSECOND, opened - timedelta(days=1), datetime(1970, 1, 1, tzinfo=UTC)):
        assert_problem(api.balance(account, at=at.isoformat()), "wallet-not-found")


def test_empty_wallet_has_a_past_balance_of_zero(api: WalletApi, open_wallet: OpenWallet) -> None:
    """A wallet opened with balance 0 has no posting, and its past balance is 0 from its opening on."""
    account = open_wallet(0)
    opened = moment(api.balance(account).document["lastUpdated"])
    assert api.balance(account, at=opened.isoformat()).document["balance"] == 0
    assert_problem(api.balance(account, at=(opened - MICROSECOND).isoformat()), "wallet-not-found")
    api.deposit(account, 3)
    assert api.balance(account, at=opened.isoformat()).document["balance"] == 0


def test_time_in_the_future_is_refused(api: WalletApi, open_wallet: OpenWallet) -> None:
    """``?at=`` in the future is a 422."""
    account = open_wallet(5)
    for ahead in (timedelta(minutes=5), timedelta(days=3650)):
        refusal = api.balance(account, at=(datetime.now(UTC) + ahead).isoformat())
        assert_problem(refusal, "invalid-request")
        assert refusal.document["detail"] == "at is in the future."
    assert_problem(api.balance(account, at="9999-12-31T23:59:59Z"), "invalid-request")


@pytest.mark.parametrize(
    "at",
    [
        "2024-01-01T00:00:00",
        "2024-01-01 00:00:00",
        "2024-01-01",
        "2024",
        "now",
        "",
        " ",
        "1700000000",
        "T",
        "00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-01-01T25:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:00+25:00",
        "20240101T000000Z",
        "2024-W01-1T00:00:00Z",
        "2024-01-01T00:00Z",
        "2024-01-01T00:00:00ZZ",
        "2024-01-01T00:00:00 UTC",
        "2024-01-01T00:00:00+0",
        "-2024-01-01T00:00:00Z",
        "\u0662\u0660\u0662\u0664-01-01T00:00:00Z",
        "2024-01-01T00:00:00.Z",
        "\x00",
        "2024-01-01T00:00:00Z\n",
        "x" * 4000,
    ],
    ids=lambda at: repr(at)[:30],
)
def test_other_times_are_invalid(api: WalletApi, still_pair: Pair, at: str) -> None:
    """``?at=`` must be RFC 3339 with a zone; anything else is a 422."""
    assert_problem(api.balance(still_pair.payer, at=at), "invalid-request")


@pytest.mark.parametrize(
    "at",
    [
        "0001-01-01T00:00:00+23:59",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "0000-01-01T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2024-01-01T00:00:00.123456789Z",
        "2024-01-01t00:00:00z",
        "2024-01-01T00:00:00-00:00",
        "1969-12-31T23:59:59.999999Z",
    ],
)
def test_extreme_times_cause_no_server_error(api: WalletApi, still_pair: Pair, at: str) -> None:
    """Extreme times (years 0, 1 and 9999, leap seconds, nanoseconds) get a 404 or a 422, never a 500."""
    answer = api.balance(still_pair.payer, at=at)
    assert answer.status in (404, 422), answer
    assert_complete(answer)


def test_unencoded_plus_sign_is_never_read_as_another_time(api: WalletApi, open_wallet: OpenWallet) -> None:
    """A ``+`` in a query means a space. A zone sent this way is understood or refused, never read as another time."""
    account = open_wallet(5)
    at = (
        moment(api.balance(account).document["lastUpdated"])
        .astimezone(timezone(timedelta(hours=2)))
        .isoformat()
    )
    answer = api.send(Call("GET", f"/wallets/{account}/balance?at={at}", reads=True))
    if answer.status != 200:
        assert_problem(answer, "invalid-request")
    assert answer.status == 422 or answer.document["balance"] == 5


def test_past_balances_of_payer_and_payee_keep_their_sum(api: WalletApi, pair: Pair) -> None:
    """From a transfer's last entry on, the past balances of payer and payee have the same sum as before."""
    for _ in range(3):
        api.transfer(pair.payer, pair.payee, 10)
        at = max(whole_statement(api, account)[0]["at"] for account in (pair.payer, pair.payee))
        assert (
            sum(api.balance(account, at=at).document["balance"] for account in (pair.payer, pair.payee))
            == 150
        )
    assert balance_of(api, pair.payer) == 70
