"""Idempotency-Key: one effect, and every retry gets the first answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import httpx
import pytest

from tests.blackbox.api import JSON, Answer, Call, WalletApi
from tests.blackbox.exact import Literal, encode
from tests.blackbox.names import FAR, NEAR, new_account, new_key
from tests.blackbox.pairs import Pair
from tests.blackbox.problems import assert_problem
from tests.blackbox.reading import balance_of, wallet_state, whole_statement

OpenWallet = Callable[..., str]


def assert_replay(first: Answer, again: Answer) -> None:
    """Fail unless the second answer equals the first one and is marked as a replay."""
    assert not first.replayed
    assert again.replayed, again
    assert (again.status, again.document) == (first.status, first.document)
    assert again.headers["content-type"] == first.headers["content-type"]


def test_a_transfer_with_the_same_key_happens_once(api: WalletApi, pair: Pair) -> None:
    """Every retry with the same key and body gets the first answer with ``Idempotent-Replayed: true``."""
    key = new_key()
    first = api.transfer(pair.payer, pair.payee, 10, key=key)
    for _ in range(3):
        assert_replay(first, api.transfer(pair.payer, pair.payee, 10, key=key))
    assert [balance_of(api, account) for account in (pair.payer, pair.payee)] == [90, 60]


@pytest.mark.parametrize("method", ["deposit", "withdraw"])
def test_deposits_and_withdrawals_with_the_same_key_happen_once(
    api: WalletApi, pair: Pair, method: str
) -> None:
    """Deposits and withdrawals accept keys. The replay contains the balance right after the first request."""
    key, call = new_key(), getattr(api, method)
    first = call(pair.payer, 10, key=key)
    api.deposit(pair.payer, 1)
    assert_replay(first, call(pair.payer, 10, key=key))
    assert balance_of(api, pair.payer) == 101 + (10 if method == "deposit" else -10)


def test_a_creation_with_the_same_key_happens_once(api: WalletApi, open_wallet: OpenWallet) -> None:
    """Creation accepts keys, scoped to the accountId: a retry gets the wallet as created, not a 409."""
    account, key = new_account(), new_key()
    first = api.open_wallet(account, balance=100, key=key)
    api.transfer(account, open_wallet(), 30)
    assert_replay(first, api.open_wallet(account, balance=100, key=key))
    assert balance_of(api, account) == 70
    assert_problem(api.open_wallet(account, balance=100, key=new_key()), "wallet-exists")


@pytest.mark.parametrize(
    "amount", ["10.00", "10", Literal("10.0"), Literal("1e1"), Literal("100e-1"), "10.0000000"], ids=repr
)
def test_bodies_are_equal_by_meaning(api: WalletApi, pair: Pair, amount: object) -> None:
    """10, "10.00" and 1e1 are the same amount in the comparison of bodies."""
    key = new_key()
    assert_replay(
        api.transfer(pair.payer, pair.payee, 10, key=key),
        api.transfer(pair.payer, pair.payee, amount, key=key),
    )
    assert balance_of(api, pair.payer) == 90


def test_order_of_members_does_not_matter(api: WalletApi, pair: Pair) -> None:
    """Members in another order or with spaces between them are the same body."""
    key = new_key()
    first = api.transfer(pair.payer, pair.payee, 10, key=key)
    body = (
        f' {{"currency": "USD", "amount": 10, "toAccount": "{pair.payee}",\n"fromAccount": "{pair.payer}"}} '
    )
    headers = {**JSON, "Idempotency-Key": key}
    assert_replay(
        first, api.send(Call("POST", "/wallets/balanceTransfer", headers=headers, body=body.encode()))
    )


def test_opening_balance_of_zero_equals_no_balance(api: WalletApi) -> None:
    """A creation without a balance and one with balance 0 are the same body."""
    account, key = new_account(), new_key()
    assert_replay(api.open_wallet(account, key=key), api.open_wallet(account, balance="0.00", key=key))


def test_a_key_reused_for_another_body_is_refused(
    api: WalletApi, pair: Pair, open_wallet: OpenWallet
) -> None:
    """The same key with another amount, payee or currency is a 422 that moves nothing. The first answer stays."""
    key = new_key()
    first = api.transfer(pair.payer, pair.payee, 10, key=key)
    others = [
        (pair.payee, 11, "USD"),
        (open_wallet(), 10, "USD"),
        (pair.payee, 10, "EUR"),
        (pair.payee, Literal("10.000001"), "USD"),
    ]
    for payee, amount, currency in others:
        assert_problem(api.transfer(pair.payer, payee, amount, currency, key), "idempotency-key-reused")
    assert_replay(first, api.transfer(pair.payer, pair.payee, 10, key=key))
    assert balance_of(api, pair.payer) == 90


def test_a_key_reused_for_another_creation_is_refused(api: WalletApi) -> None:
    """The same key and accountId with another currency or balance is a 422."""
    account, key = new_account(), new_key()
    api.open_wallet(account, balance=1, key=key)
    assert_problem(api.open_wallet(account, balance=2, key=key), "idempotency-key-reused")
    assert_problem(api.open_wallet(account, "EUR", 1, key=key), "idempotency-key-reused")


def test_a_key_reused_for_another_operation_is_refused(api: WalletApi, pair: Pair) -> None:
    """A key belongs to one request of its wallet, so another kind of request with a deposit's key is a 422."""
    key = new_key()
    api.deposit(pair.payer, 10, key=key)
    for answer in (
        api.withdraw(pair.payer, 10, key=key),
        api.transfer(pair.payer, pair.payee, 10, key=key),
        api.open_wallet(pair.payer, balance=10, key=key),
    ):
        assert_problem(answer, "idempotency-key-reused")
    assert balance_of(api, pair.payer) == 110


def test_keys_are_scoped_to_the_paying_wallet(api: WalletApi, open_wallet: OpenWallet) -> None:
    """Keys are scoped to the payer or the wallet: two payers, or two wallets, may use the same key."""
    key, payee = new_key(), open_wallet(slots=FAR)
    payers = [open_wallet(10, slots=slots) for slots in (NEAR, NEAR, FAR)]
    answers = [api.transfer(payer, payee, 10, key=key) for payer in payers]
    answers += [api.deposit(payer, 1, key=f"{key}-d") for payer in payers]
    assert [(answer.status, answer.replayed) for answer in answers] == [(201, False)] * 6
    assert len({answer.transaction_id for answer in answers}) == 6
    assert balance_of(api, payee) == 30


def test_a_payees_key_is_free(api: WalletApi, pair: Pair) -> None:
    """A key that the payer has used is free for the payee's own requests."""
    key = new_key()
    assert api.transfer(pair.payer, pair.payee, 10, key=key).status == 201
    back = api.transfer(pair.payee, pair.payer, 10, key=key)
    assert (back.status, back.replayed) == (201, False)


def test_keys_differ_by_case(api: WalletApi, pair: Pair) -> None:
    """Keys are compared exactly, including case."""
    key = new_key()
    answers = [api.transfer(pair.payer, pair.payee, 1, key=text) for text in (f"{key}a", f"{key}A")]
    assert [answer.replayed for answer in answers] == [False, False]


def test_refusal_for_insufficient_funds_replays(api: WalletApi, pair: Pair) -> None:
    """Refusals replay too: money that arrives later does not turn a retry into a success."""
    key = new_key()
    first = api.transfer(pair.payer, pair.payee, 1000, key=key)
    assert_problem(first, "insufficient-funds")
    api.deposit(pair.payer, 10_000)
    assert_replay(first, api.transfer(pair.payer, pair.payee, 1000, key=key))
    assert wallet_state(api, pair.payer).balance == 10_100


@pytest.mark.parametrize("slots", [NEAR, FAR], ids=["same-shard", "other-shard"])
def test_a_compensated_refusal_replays(api: WalletApi, open_wallet: OpenWallet, slots: range) -> None:
    """A refusal by the payee replays and is not compensated twice, even if the payee exists by then."""
    payer, payee, key = open_wallet(100, slots=NEAR), new_account(slots), new_key()
    first = api.transfer(payer, payee, 10, key=key)
    assert_problem(first, "wallet-not-found")
    api.open_wallet(payee)
    before = whole_statement(api, payer)
    assert_replay(first, api.transfer(payer, payee, 10, key=key))
    assert whole_statement(api, payer) == before
    assert balance_of(api, payee) == 0


def test_a_refusal_of_an_unknown_payer_replays(api: WalletApi, open_wallet: OpenWallet) -> None:
    """A refusal for an unknown payer replays, even if the payer's wallet has been opened since."""
    payer, payee, key = new_account(), open_wallet(), new_key()
    first = api.transfer(payer, payee, 10, key=key)
    assert_problem(first, "wallet-not-found")
    api.open_wallet(payer, balance=100)
    assert_replay(first, api.transfer(payer, payee, 10, key=key))
    assert balance_of(api, payer) == 100


@pytest.mark.parametrize("method", ["deposit", "withdraw"])
def test_refused_deposits_and_withdrawals_replay(
    api: WalletApi, open_wallet: OpenWallet, method: str
) -> None:
    """A refusal for a frozen wallet replays after the wallet is unfrozen."""
    account, key = open_wallet(10, status="frozen"), new_key()
    first = getattr(api, method)(account, 5, key=key)
    assert_problem(first, "wallet-frozen")
    api.set_status(account, "active")
    assert_replay(first, getattr(api, method)(account, 5, key=key))
    assert balance_of(api, account) == 10


def test_validation_failures_are_not_remembered(api: WalletApi, pair: Pair) -> None:
    """A 4xx before a decision does not use up the key: the corrected request counts as the first one."""
    key = new_key()
    assert_problem(api.transfer(pair.payer, pair.payee, -10, key=key), "invalid-request")
    assert_problem(api.transfer(pair.payer, pair.payee, 10, "XXX", key), "invalid-request")
    text = {"Content-Type": "text/plain", "Idempotency-Key": key}
    assert_problem(
        api.send(Call("POST", "/wallets/balanceTransfer", headers=text, body=b"{}")), "unsupported-media-type"
    )
    corrected = api.transfer(pair.payer, pair.payee, 10, key=key)
    assert (corrected.status, corrected.replayed) == (201, False)


@pytest.mark.parametrize(
    "key",
    ["k", "!", "~", "x" * 255, '{"a":"b"}', "a,b;c=d", "'; DROP TABLE x; --", "é".encode().hex()],
    ids=lambda key: key[:20],
)
def test_keys_of_visible_ascii_are_accepted(api: WalletApi, pair: Pair, key: str) -> None:
    """A key is 1 to 255 visible ASCII characters."""
    key = key.replace(" ", "")
    assert_replay(
        api.transfer(pair.payer, pair.payee, 1, key=key), api.transfer(pair.payer, pair.payee, 1, key=key)
    )


INVALID_KEYS = [
    b"",
    b"x" * 256,
    b"x" * 5000,
    b"a b",
    b"a\tb",
    "é".encode(),
    b"\xe9",
    "ключ".encode(),
    "🔑".encode(),
    b"a\xa0b",
]


@pytest.mark.parametrize("key", INVALID_KEYS, ids=lambda key: repr(key[:12]))
def test_other_keys_are_invalid(api: WalletApi, still_pair: Pair, key: bytes) -> None:
    """An empty key, one over 255 characters, or one with a space or non-ASCII characters is a 422."""
    paths = [
        "/wallets/balanceTransfer",
        f"/wallets/{still_pair.payer}/deposits",
        f"/wallets/{still_pair.payer}/withdrawals",
        "/wallets",
    ]
    money = {"amount": 1, "currency": "USD"}
    transfer = {"fromAccount": still_pair.payer, "toAccount": still_pair.payee, **money}
    for path, body in zip(
        paths, [transfer, money, money, {"accountId": new_account(), "currency": "USD"}], strict=True
    ):
        headers: dict[str, str | bytes] = {**JSON, "Idempotency-Key": key}
        assert_problem(api.send(Call("POST", path, headers=headers, body=encode(body))), "invalid-request")
    assert wallet_state(api, still_pair.payer).version == 1


@pytest.mark.parametrize("character", ["\x01", "\x08", "\x1b"], ids=repr)
def test_keys_with_control_characters_never_reach_a_decision(
    api: WalletApi, still_pair: Pair, character: str
) -> None:
    """Control characters in a key are a 422, or the HTTP parser rejects the header with a 400 or by closing."""
    with contextlib.suppress(httpx.TransportError):
        answer = api.transfer(still_pair.payer, still_pair.payee, 1, key=f"a{character}b")
        assert answer.status in (400, 422), answer
    assert wallet_state(api, still_pair.payer).version == 1
