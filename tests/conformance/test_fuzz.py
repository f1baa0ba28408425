"""Random requests: no server error, and no money created or lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.blackbox.api import JSON, Answer, Call, WalletApi
from tests.blackbox.exact import Literal, encode
from tests.blackbox.names import FAR, NEAR, new_account
from tests.blackbox.pairs import Pair
from tests.blackbox.problems import assert_complete
from tests.blackbox.reading import balance_of

BOUNDED = settings(
    max_examples=60,
    deadline=None,
    derandomize="CI" in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

NUMBERS = st.builds(
    lambda sign, whole, fraction, exponent: Literal(f"{sign}{whole}{fraction}{exponent}"),
    st.sampled_from(["", "", "", "-"]),
    st.integers(0, 10**14).map(str),
    st.sampled_from(["", ".5", ".000001", ".0000001", ".1000000", ".999999"]),
    st.sampled_from(["", "", "e0", "E-3", "e-7", "e+2", "e99", "e-400", "e400", "e1000000"]),
)
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["10.50", "1e1", " 1", "USD", "EUR", "active", "frozen", "NaN", "@external", "0.000001"]
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
AMOUNTS = st.integers(1, 40).map(lambda tenths: Decimal(tenths) / 10) | NUMBERS | ANYTHING
KEYS = st.none() | st.sampled_from(["k1", "k2", "k3"]) | st.binary(max_size=6).map(lambda raw: raw.hex())
BODIES = st.binary(max_size=40) | st.text(max_size=40).map(str.encode) | ANYTHING.map(encode)


def spoiled(members: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies that mostly have the right members; sometimes one is missing, extra or of the wrong type."""
    whole = st.fixed_dictionaries(members)
    strange = st.dictionaries(st.sampled_from([*members, "note", "balance"]), ANYTHING, max_size=2)
    return st.one_of(whole, whole, st.builds(lambda body, extra: body | extra, whole, strange), strange)


@pytest.fixture(scope="module")
def wallets(open_wallet: Callable[..., str]) -> Pair:
    """Two wallets that only the fuzz tests use."""
    return Pair(open_wallet(1000, slots=NEAR), open_wallet(1000, slots=FAR))


def total(api: WalletApi, wallets: Pair) -> Decimal:
    """The sum of the two wallets' balances."""
    return balance_of(api, wallets.payer) + balance_of(api, wallets.payee)


def checked(answer: Answer) -> Answer:
    """Fail unless the answer is a success or a complete problem with a status below 500."""
    assert answer.status < 500, answer
    if answer.status >= 400:
        assert_complete(answer)
    return answer


@BOUNDED
@given(data=st.data())
def test_fuzzed_transfers_conserve_money(api: WalletApi, wallets: Pair, data: st.DataObject) -> None:
    """A random transfer body causes no server error, and keeps the sum of the two wallets."""
    before = total(api, wallets)
    accounts = (
        st.sampled_from([wallets.payer, wallets.payer, wallets.payee, "nobody", "@external"]) | ANYTHING
    )
    members = {
        "fromAccount": accounts,
        "toAccount": accounts,
        "amount": AMOUNTS,
        "currency": st.sampled_from(["USD", "USD", "EUR"]) | ANYTHING,
    }
    body, key = data.draw(spoiled(members)), data.draw(KEYS)
    checked(api.write("POST", "/wallets/balanceTransfer", body, key))
    assert total(api, wallets) == before


@BOUNDED
@given(data=st.data(), method=st.sampled_from(["deposits", "withdrawals"]))
def test_fuzzed_deposits_and_withdrawals_move_their_amounts(
    api: WalletApi, wallets: Pair, data: st.DataObject, method: str
) -> None:
    """A random deposit or withdrawal causes no server error; only a new 201 moves money, by its amount."""
    before = total(api, wallets)
    body = data.draw(
        spoiled({"amount": AMOUNTS, "currency": st.sampled_from(["USD", "USD", "EUR"]) | ANYTHING})
    )
    answer = checked(api.write("POST", f"/wallets/{wallets.payer}/{method}", body, data.draw(KEYS)))
    moved = Decimal(body["amount"]) if answer.status == 201 and not answer.replayed else Decimal()
    assert total(api, wallets) == before + (moved if method == "deposits" else -moved)


@BOUNDED
@given(data=st.data())
def test_fuzzed_creations_open_the_requested_wallet(api: WalletApi, data: st.DataObject) -> None:
    """A random creation causes no server error; a 201 returns the requested wallet, exact to the micro."""
    members = {
        "accountId": st.builds(new_account) | ANYTHING,
        "currency": st.sampled_from(["USD", "EUR"]) | ANYTHING,
        "balance": AMOUNTS,
    }
    body = data.draw(spoiled(members))
    answer = checked(api.write("POST", "/wallets", body, data.draw(KEYS)))
    if answer.status == 201 and not answer.replayed:
        assert answer.document["accountId"] == body["accountId"]
        assert balance_of(api, body["accountId"]) == Decimal(body.get("balance", 0))


@BOUNDED
@given(
    body=BODIES,
    path=st.sampled_from(
        [
            "/wallets",
            "/wallets/balanceTransfer",
            "/wallets/{}/deposits",
            "/wallets/{}/withdrawals",
            "/wallets/{}",
        ]
    ),
)
def test_fuzzed_bytes_cause_no_server_error(api: WalletApi, wallets: Pair, body: bytes, path: str) -> None:
    """Random bytes sent as JSON to any route cause no server error, and keep the sum."""
    before = total(api, wallets)
    checked(
        api.send(
            Call(
                "PUT" if path.endswith("{}") else "POST", path.format(wallets.payer), headers=JSON, body=body
            )
        )
    )
    assert total(api, wallets) == before


@BOUNDED
@given(
    query=st.dictionaries(st.sampled_from(["at", "currency", "limit", "cursor", "x"]), TEXTS, max_size=3),
    path=st.sampled_from(["/wallets/{}/balance", "/wallets/{}/transactions", "/transfers/{}"]),
    account=TEXTS | st.none(),
)
def test_fuzzed_reads_cause_no_server_error(
    api: WalletApi, wallets: Pair, query: dict[str, str], path: str, account: str | None
) -> None:
    """A random read causes no server error."""
    name = (
        wallets.payer
        if account is None
        else "".join(f"%{byte:02x}" for byte in account.encode("utf-8", "surrogatepass"))
    )
    checked(api.send(Call("GET", path.format(name), query)))
