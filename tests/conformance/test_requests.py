"""Invalid requests: wrong media type, too large, malformed, or with unknown members."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.blackbox import exact
from tests.blackbox.api import JSON, Answer, Call, WalletApi, wallet_path
from tests.blackbox.names import new_account
from tests.blackbox.pairs import Pair
from tests.blackbox.problems import assert_problem
from tests.blackbox.reading import balance_of

LIMIT_BYTES = 64 * 1024
OpenWallet = Callable[..., str]
ROUTES = ["create", "transfer", "deposit", "withdraw", "status"]


def request_for(route: str, pair: Pair) -> tuple[str, str, dict[str, Any]]:
    """Method, path and a valid body for a route that takes one."""
    wallet, amount = wallet_path(pair.payer), {"amount": 1, "currency": "USD"}
    transfer = {"fromAccount": pair.payer, "toAccount": pair.payee, **amount}
    requests: dict[str, tuple[str, str, dict[str, Any]]] = {
        "create": ("POST", "/wallets", {"accountId": new_account(), "currency": "USD"}),
        "transfer": ("POST", "/wallets/balanceTransfer", transfer),
        "deposit": ("POST", f"{wallet}/deposits", amount),
        "withdraw": ("POST", f"{wallet}/withdrawals", amount),
        "status": ("PUT", wallet, {"status": "frozen"}),
    }
    return requests[route]


@pytest.fixture(params=ROUTES)
def good(request: pytest.FixtureRequest, still_pair: Pair) -> tuple[str, str, dict[str, Any]]:
    """A request that is valid until a test changes it."""
    return request_for(request.param, still_pair)


def send(
    api: WalletApi,
    good: tuple[str, str, Any],
    body: bytes | Iterable[bytes],
    headers: dict[str, str | bytes] | None = None,
) -> Answer:
    """The valid request with another body."""
    return api.send(Call(good[0], good[1], headers={**JSON} if headers is None else headers, body=body))


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "text/json",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/jsonp",
        "json",
        "",
        "application",
        "application/json-seq",
        "*/*",
    ],
)
def test_other_media_types_are_unsupported(
    api: WalletApi, good: tuple[str, str, Any], media_type: str
) -> None:
    """A Content-Type other than JSON is a 415 for any body."""
    assert_problem(
        send(api, good, exact.encode(good[2]), {"Content-Type": media_type}), "unsupported-media-type"
    )


def test_a_missing_media_type_is_unsupported(api: WalletApi, good: tuple[str, str, Any]) -> None:
    """A body without a Content-Type is a 415."""
    assert_problem(send(api, good, exact.encode(good[2]), {}), "unsupported-media-type")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON",
        'application/json; charset="utf-8"',
    ],
)
def test_parameters_and_case_of_the_media_type_do_not_matter(api: WalletApi, media_type: str) -> None:
    """``application/json`` is accepted in any case and with a charset parameter."""
    body = exact.encode({"accountId": new_account(), "currency": "USD"})
    answer = api.send(Call("POST", "/wallets", headers={"Content-Type": media_type}, body=body))
    assert answer.status == 201, answer


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, 2 * LIMIT_BYTES, 1_000_000])
def test_bodies_over_the_limit_are_too_large(api: WalletApi, good: tuple[str, str, Any], size: int) -> None:
    """A body over 64 KiB is a 413, even if only spaces exceed the limit."""
    assert_problem(send(api, good, exact.encode(good[2]).ljust(size)), "body-too-large")


def test_the_limit_holds_without_a_content_length(api: WalletApi, good: tuple[str, str, Any]) -> None:
    """A chunked body that grows over 64 KiB is a 413."""
    chunks = [exact.encode(good[2]), *[b" " * 4096] * 20]
    assert_problem(send(api, good, iter(chunks)), "body-too-large")


def test_body_of_exactly_the_limit_is_accepted(api: WalletApi) -> None:
    """A body of exactly 64 KiB is accepted, with Content-Length or chunked."""
    for in_chunks in (False, True):
        body = exact.encode({"accountId": new_account(), "currency": "USD"}).ljust(LIMIT_BYTES)
        answer = api.send(Call("POST", "/wallets", headers=JSON, body=iter([body]) if in_chunks else body))
        assert answer.status == 201, answer


MALFORMED = [
    b"",
    b" ",
    b"{",
    b"}",
    b"{}x",
    b"{'accountId':'a'}",
    b'{"a":}',
    b'{"a":1,}',
    b'{"a" 1}',
    b"{a:1}",
    b'{"a":1}{"a":1}',
    b"// hi\n{}",
    b'{"a":"\n"}',
    b'{"a":"\\x"}',
    b'{"a":"\\u12"}',
    b'{"a":01}',
    b'{"a":NaN}',
    b'{"a":undefined}',
    b"\x00",
    b"{\x00}",
    b"\xff\xfe{\x00}\x00",
    b'{"accountId":"\xff"}',
    b'{"accountId":"\xc3\x28"}',
    b'{"accountId":"\xed\xa0\x80"}',
    b'{"\xf0\x28\x8c\x28":1}',
    b"\x80",
    '{"amount":1}'.encode("utf-16"),
    '{"amount":1}'.encode("utf-32"),
    b"[" * 60000,
    b'{"a":' * 10000,
    b'"' + b"a" * 60000,
    b"a=1&b=2",
    b"<a/>",
    b"\x1f\x8b\x08\x00",
]


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body[:16]))
def test_malformed_json_is_invalid(api: WalletApi, good: tuple[str, str, Any], body: bytes) -> None:
    """A body that is not JSON in UTF-8 is a 422, even if it is deeply nested or truncated."""
    assert_problem(send(api, good, body), "invalid-request")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_json_in_another_encoding_is_invalid(
    api: WalletApi, good: tuple[str, str, Any], encoding: str
) -> None:
    """A valid body in an encoding other than UTF-8 (RFC 8259 §8.1) is a 422."""
    assert_problem(send(api, good, exact.encode(good[2]).decode().encode(encoding)), "invalid-request")


@pytest.mark.parametrize(
    "body", [b"null", b"true", b"1", b"1.5", b'"text"', b"[]", b"[{}]", b"{}", b'[{"status":"active"}]']
)
def test_json_that_is_not_the_object_is_invalid(
    api: WalletApi, good: tuple[str, str, Any], body: bytes
) -> None:
    """A body must be the object of its route. Any other JSON value, and the empty object, is a 422."""
    assert_problem(send(api, good, body), "invalid-request")


@pytest.mark.parametrize(
    "value", [1, None, exact.Literal("[" * 20_000 + "]" * 20_000)], ids=["number", "null", "deep"]
)
@pytest.mark.parametrize(
    "extra", ["note", "Amount", "idempotencyKey", "__proto__", "", "transactionId", "version", "é"]
)
def test_unknown_members_are_invalid(
    api: WalletApi, good: tuple[str, str, Any], extra: str, value: object
) -> None:
    """A member that the route does not know is a 422."""
    assert_problem(send(api, good, exact.encode({**good[2], extra: value})), "invalid-request")


def test_repeated_members_are_invalid(api: WalletApi, good: tuple[str, str, Any]) -> None:
    """A body with a duplicate member is a 422, even if both values are equal."""
    for member in good[2]:
        body = exact.encode(good[2])
        repeated = body[:-1] + b"," + exact.encode({member: good[2][member]})[1:]
        assert_problem(send(api, good, repeated), "invalid-request")


def test_missing_members_are_invalid(api: WalletApi, good: tuple[str, str, Any]) -> None:
    """A missing required member is a 422."""
    for member in good[2]:
        rest = {name: value for name, value in good[2].items() if name != member}
        assert_problem(send(api, good, exact.encode(rest)), "invalid-request")


@pytest.mark.parametrize(
    "value",
    [None, [], {}, [1], {"a": {"b": [1]}}, True, "\x00", "a" * 10_000],
    ids=lambda value: repr(value)[:16],
)
def test_members_of_the_wrong_type_are_invalid(
    api: WalletApi, good: tuple[str, str, Any], value: object
) -> None:
    """A single member with an invalid value is a 422."""
    for member in good[2]:
        assert_problem(send(api, good, exact.encode({**good[2], member: value})), "invalid-request")


def test_duplicate_member_never_has_both_effects(api: WalletApi, open_wallet: OpenWallet) -> None:
    """A duplicate member is a 422 or one of its two values applies. It never causes a server error or both effects."""
    payer, payee = open_wallet(10), open_wallet(0)
    body = f'{{"fromAccount":"{payer}","toAccount":"{payee}","amount":1,"currency":"USD","amount":2}}'
    answer = api.send(Call("POST", "/wallets/balanceTransfer", headers=JSON, body=body.encode()))
    moved = balance_of(api, payee)
    if answer.status != 201:
        assert_problem(answer, "invalid-request")
    assert moved in ((1, 2) if answer.status == 201 else (0,))
    assert balance_of(api, payer) == 10 - moved


def test_spaces_and_order_in_json_do_not_matter(api: WalletApi) -> None:
    """Whitespace, escapes and member order do not change the meaning of a body."""
    account = new_account()
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in account)
    body = f'\r\n\t {{ "currency" :\n"USD" , "account\\u0049d" : "{escaped}" }} '
    assert (
        api.send(Call("POST", "/wallets", headers=JSON, body=body.encode())).document["accountId"] == account
    )
