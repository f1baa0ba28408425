"""Requests: every invalid one is refused here, with a problem that names the cause."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote, urlencode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_kernel.contract import requests
from wallet_kernel.contract.problems import Problem
from wallet_kernel.contract.requests import (
    CashRequest,
    Requests,
    StatementRequest,
    TransferRequest,
    WalletRequest,
)
from wallet_kernel.http import Request

MakeCall = Callable[..., Request]

REQUESTS = Requests(frozenset({"USD", "EUR"}))
TRANSFER = {"fromAccount": "user1", "toAccount": "user2", "amount": 10.234, "currency": "USD"}
WALLET = {"accountId": "user1", "currency": "USD", "balance": "5"}
CASH = {"amount": 5, "currency": "EUR"}
BAD_ACCOUNTS = ["", "@external", ".a", "-a", "a b", "a/b", "a\n", "é", "a" * 65, "a\u0000", "a{", "а"]  # noqa: RUF001 - a Cyrillic letter is the point
PARSERS = [(REQUESTS.transfer, TRANSFER), (REQUESTS.wallet, WALLET), (REQUESTS.cash, CASH)]
by_parser = pytest.mark.parametrize(("parse", "good"), PARSERS, ids=["transfer", "wallet", "cash"])


def refusal(parse: Callable[[Request], object], call: Request) -> Problem:
    """Returns the problem that a parser raises."""
    with pytest.raises(Problem) as raised:
        parse(call)
    return raised.value


def body(good: Mapping[str, object], **changes: object) -> bytes:
    """Returns a valid body with some members changed; None removes a member."""
    members = {name: value for name, value in {**good, **changes}.items() if value is not None}
    return json.dumps(members).encode()


def test_transfer_is_parsed(make_call: MakeCall) -> None:
    """The contract's example is parsed, with the amount in exact micros."""
    assert REQUESTS.transfer(make_call(body(TRANSFER))) == TransferRequest(
        "user1", "user2", 10_234_000, "USD"
    )


def test_wallet_opens_with_zero_without_a_balance(make_call: MakeCall) -> None:
    """A wallet opens with 0 unless the body has a balance."""
    assert REQUESTS.wallet(make_call(body(WALLET))) == WalletRequest("user1", "USD", 5_000_000)
    assert REQUESTS.wallet(make_call(body(WALLET, balance=None))) == WalletRequest("user1", "USD", 0)
    assert REQUESTS.wallet(make_call(body(WALLET, balance=0))) == WalletRequest("user1", "USD", 0)


def test_deposit_takes_the_wallet_from_the_path(make_call: MakeCall) -> None:
    """Deposits and withdrawals take the wallet from the path."""
    call = make_call(body(CASH), params={"accountId": "user1"})
    assert REQUESTS.cash(call) == CashRequest("user1", 5_000_000, "EUR")


@pytest.mark.parametrize(
    ("parse", "good", "member"),
    [
        (REQUESTS.transfer, TRANSFER, "amount"),
        (REQUESTS.wallet, WALLET, "balance"),
        (REQUESTS.cash, CASH, "amount"),
    ],
    ids=["transfer", "wallet", "cash"],
)
@pytest.mark.parametrize("bad", [-1, "1.2345678", "1e400", True, [1], {"a": 1}, "", "ten", 10**13])
def test_bad_money_is_invalid(
    make_call: MakeCall,
    parse: Callable[[Request], object],
    good: Mapping[str, object],
    member: str,
    bad: object,
) -> None:
    """An inexact or out-of-range amount is a 422 that names the member."""
    problem = refusal(parse, make_call(body(good, **{member: bad}), params={"accountId": "user1"}))
    assert problem.name == "invalid-request"
    assert problem.detail.startswith(f"{member} ")


@pytest.mark.parametrize("zero", [0, "0.00", -0.0])
def test_amount_of_zero_is_invalid(make_call: MakeCall, zero: object) -> None:
    """A transfer of 0 is a 422."""
    assert refusal(REQUESTS.transfer, make_call(body(TRANSFER, amount=zero))).name == "invalid-request"


@pytest.mark.parametrize("account", BAD_ACCOUNTS)
def test_bad_account_name_is_invalid_in_every_member(make_call: MakeCall, account: str) -> None:
    """An account name outside the pattern is a 422 in every member; so are names that begin with @."""
    calls = [
        (REQUESTS.transfer, make_call(body(TRANSFER, fromAccount=account))),
        (REQUESTS.transfer, make_call(body(TRANSFER, toAccount=account))),
        (REQUESTS.wallet, make_call(body(WALLET, accountId=account))),
        (REQUESTS.cash, make_call(body(CASH), params={"accountId": account})),
        (requests.path_account, make_call(params={"accountId": account})),
    ]
    assert {refusal(parse, call).name for parse, call in calls} == {"invalid-request"}


@given(st.from_regex(requests.ACCOUNT_PATTERN[:-1], fullmatch=True))
def test_every_name_of_the_pattern_is_accepted(account: str) -> None:
    """Every name that matches the published pattern is accepted unchanged."""
    assert requests.account_id(account, "accountId") == account


def test_name_of_the_transfer_route_is_reserved(make_call: MakeCall) -> None:
    """No wallet can be named balanceTransfer, because its path would be the transfer's."""
    assert "reserved" in refusal(REQUESTS.wallet, make_call(body(WALLET, accountId="balanceTransfer"))).detail


@pytest.mark.parametrize(
    "text",
    [
        b'{"amount":1,"currency":"USD","amount":2}',
        b'{"amount":1,"currency":"USD","amount":1}',
        b'{"amount":1,"currency":"USD","curr\\u0065ncy":"USD"}',
    ],
    ids=["other-value", "same-value", "escaped-name"],
)
def test_body_is_invalid_with_a_repeated_member(make_call: MakeCall, text: bytes) -> None:
    """A body with a repeated member is refused, for every spelling of the name and all values."""
    problem = refusal(REQUESTS.cash, make_call(text, params={"accountId": "user1"}))
    assert "more than once" in problem.detail


def test_transfer_to_oneself_is_invalid(make_call: MakeCall) -> None:
    """Payer and payee must differ."""
    assert "same wallet" in refusal(REQUESTS.transfer, make_call(body(TRANSFER, toAccount="user1"))).detail


@by_parser
@pytest.mark.parametrize("currency", ["CHF", "usd", "", "USDX", "@external"])
def test_unknown_currency_is_invalid(
    make_call: MakeCall, parse: Callable[[Request], object], good: Mapping[str, object], currency: str
) -> None:
    """Only this installation's currencies are accepted; the problem lists them."""
    call = make_call(body(good, currency=currency), params={"accountId": "user1"})
    assert refusal(parse, call).detail == "currency must be one of EUR, USD."


@by_parser
def test_unknown_missing_and_mistyped_members_are_invalid(
    make_call: MakeCall, parse: Callable[[Request], object], good: Mapping[str, object]
) -> None:
    """Unknown members, missing members and wrong types are a 422 that names the member."""
    params = {"accountId": "user1"}
    assert "fee" in refusal(parse, make_call(body(good, fee=1), params=params)).detail
    assert "currency" in refusal(parse, make_call(body(good, currency=None), params=params)).detail
    assert "currency" in refusal(parse, make_call(body(good, currency=7), params=params)).detail


@by_parser
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b"\xff\xfe",
        b'{"currency": "\xff"}',
        b"not json",
        b"[" * 60_000,
        b'{"amount":NaN}',
    ],
    ids=lambda raw: repr(raw[:12]),
)
def test_body_other_than_a_json_object_is_invalid(
    make_call: MakeCall, parse: Callable[[Request], object], good: Mapping[str, object], raw: bytes
) -> None:
    """A malformed body is a 422 and never another error."""
    assert refusal(parse, make_call(raw, params={"accountId": "user1"})).name == "invalid-request"


@pytest.mark.parametrize("depth", [2_000, 30_000])
def test_deep_nesting_is_invalid(make_call: MakeCall, depth: int) -> None:
    """A body nested as deeply as its size allows is a 422 and does not exhaust the stack."""
    raw = b'{"fromAccount":"a","toAccount":"b","currency":"USD","amount":%s1%s}' % (
        b"[" * depth,
        b"]" * depth,
    )
    problem = refusal(REQUESTS.transfer, make_call(raw))
    assert problem.name == "invalid-request"


@by_parser
@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/jsonl", "application/x-www-form-urlencoded"]
)
def test_another_content_type_is_unsupported(
    make_call: MakeCall,
    parse: Callable[[Request], object],
    good: Mapping[str, object],
    content_type: str | None,
) -> None:
    """A body without a JSON content type is a 415, even if the body is valid."""
    headers = {} if content_type is None else {"content-type": content_type}
    call = make_call(body(good), params={"accountId": "user1"}, headers=headers)
    assert refusal(parse, call).name == "unsupported-media-type"


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/json "]
)
def test_json_content_types(make_call: MakeCall, content_type: str) -> None:
    """Letter case, parameters and trailing space of the content type do not matter."""
    call = make_call(body(TRANSFER), headers={"content-type": content_type})
    assert REQUESTS.transfer(call).currency == "USD"


def test_status(make_call: MakeCall) -> None:
    """PUT accepts only active and frozen."""
    assert requests.frozen(make_call(b'{"status":"frozen"}')) is True
    assert requests.frozen(make_call(b'{"status":"active"}')) is False
    for raw in (b'{"status":"closed"}', b'{"status":null}', b"{}", b'{"status":"frozen","x":1}'):
        assert refusal(requests.frozen, make_call(raw)).name == "invalid-request"


def test_query_currency(make_call: MakeCall) -> None:
    """?currency= is optional; an unknown currency is a 422."""
    assert REQUESTS.query_currency(make_call()) is None
    assert REQUESTS.query_currency(make_call(query="currency=EUR")) == "EUR"
    for query in ("currency=CHF", "currency="):
        assert refusal(REQUESTS.query_currency, make_call(query=query)).name == "invalid-request"


def test_transaction_id(make_call: MakeCall) -> None:
    """Only the spelling of the service's answers finds a transfer; any other is a 404, not a 422."""
    text = "0199a0d4-7a00-8abc-8def-0123456789ab"
    assert requests.transaction_id(make_call(params={"transactionId": text})) == UUID(text)
    for bad in (
        "7",
        "",
        "user1",
        "../x",
        text[:-1],
        text.upper(),
        text.replace("-", ""),
        f"{{{text}}}",
        f"urn:uuid:{text}",
        "+" + text[1:],
        text.replace("1", "\u0661"),
    ):
        assert (
            refusal(requests.transaction_id, make_call(params={"transactionId": bad})).name
            == "transfer-not-found"
        )


def test_statement(make_call: MakeCall) -> None:
    """A page has 50 postings by default, and starts below the version in its cursor."""
    params = {"accountId": "user1"}
    assert requests.statement(make_call(params=params)) == StatementRequest("user1", 50, None)
    asked = make_call(params=params, query="limit=500&cursor=v17")
    assert requests.statement(asked) == StatementRequest("user1", 500, 17)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=",
        "limit=ten",
        "limit=1.5",
        "limit=%D9%A1",
        "limit=9999999999",
        "cursor=",
        "cursor=17",
        "cursor=v0",
        "cursor=v-1",
        "cursor=vv1",
        "cursor=v1 ",
        "cursor=v9999999999999999999",
    ],
)
def test_bad_page_is_invalid(make_call: MakeCall, query: str) -> None:
    """A limit out of range or a malformed cursor is a 422."""
    assert (
        refusal(requests.statement, make_call(params={"accountId": "user1"}, query=query)).name
        == "invalid-request"
    )


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31t12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.5Z", datetime(2026, 1, 31, 12, 0, 0, 500_000, UTC)),
        ("2026-01-31T12:00:00.123456789Z", datetime(2026, 1, 31, 12, 0, 0, 123_456, UTC)),
        ("2026-01-31T12:00:00%2B02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31T12:00:00-05:30", datetime(2026, 1, 31, 17, 30, tzinfo=UTC)),
    ],
)
def test_moment(make_call: MakeCall, at: str, moment: datetime) -> None:
    """?at= is an RFC 3339 time; a plus sign without percent-encoding is accepted."""
    assert requests.moment(make_call(query=f"at={at}")) == moment


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), st.integers(-1439, 1439))  # noqa: DTZ001 - bounds are naive
def test_moment_of_any_time_and_zone(wall: datetime, offset_minutes: int) -> None:
    """Any RFC 3339 time is parsed as the same moment."""
    moment = wall.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    call = Request({"query_string": f"at={quote(moment.isoformat())}".encode(), "headers": []})
    assert requests.moment(call) == moment


def test_no_moment(make_call: MakeCall) -> None:
    """Without ?at=, the read is of the current balance."""
    assert requests.moment(make_call()) is None


@pytest.mark.parametrize(
    "at",
    [
        "",
        "now",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00Z",
        "1767225600",
        "2026-02-30T00:00:00Z",
        "2026-01-31T25:00:00Z",
        "2026-01-31T12:00:60Z",
        "0001-01-01T00:00:00%2B14:00",
        "2026-01-31T12:00:00%2B25:00",
        "2026-01-31T12:00:00,5Z",
        "20260131T120000Z",
        "%D9%A2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.Z",
    ],
)
def test_bad_moment_is_invalid(make_call: MakeCall, at: str) -> None:
    """An invalid time, or a time without a zone, is a 422."""
    assert refusal(requests.moment, make_call(query=f"at={at}")).name == "invalid-request"


def test_idempotency_key(make_call: MakeCall) -> None:
    """Whitespace around a key is removed; a malformed key is a 422 and not ignored."""
    assert requests.idempotency_key(make_call()) is None
    assert requests.idempotency_key(make_call(headers={"Idempotency-Key": "k-1 "})) == "k-1"
    for key in ("", "a b", "a" * 256, "é"):
        problem = refusal(requests.idempotency_key, make_call(headers={"Idempotency-Key": key}))
        assert problem.name == "invalid-request"
        assert "Idempotency-Key" in problem.detail


@pytest.mark.parametrize("text", ["-1", "abc", "1.5", "", "9" * 19, "1e3", "+1", " 1", "\u0661"])
def test_a_position_is_a_whole_number(text: str) -> None:
    """A malformed position is a 422, not an endless wait."""
    with pytest.raises(Problem) as raised:
        requests.min_position(Request({"query_string": urlencode({"min_position": text}).encode()}))
    assert raised.value.name == "invalid-request"


def test_read_without_a_position_accepts_any_answer() -> None:
    """A read without a position does not wait."""
    assert requests.min_position(Request({"query_string": b""})) == 0
    assert requests.min_position(Request({"query_string": b"min_position=42"})) == 42
