"""API keys: if keys are set, public calls need one of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.blackbox.api import JSON, Call, WalletApi
from tests.blackbox.names import new_account
from tests.blackbox.problems import assert_problem

KEYS = ("first-key", "second-key")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Starts a small stack with API keys."""
    if request.config.getoption("--base-url"):
        pytest.skip("needs a stack with keys, and the one given with --base-url has none")
    from tests.blackbox.lab_stack import docker_stack, lab_stack  # noqa: PLC0415 -- --base-url works without the lab

    architecture = request.config.getoption("--arch")
    with (
        docker_stack(architecture, api_keys=KEYS)
        if request.config.getoption("--on") == "docker"
        else lab_stack(architecture, shards=1, api_keys=KEYS)
    ) as stack:
        yield stack.base_url


@pytest.mark.parametrize("key", KEYS)
def test_every_configured_key_is_accepted(base_url: str, key: str) -> None:
    """Any configured key in ``Authorization: Bearer <key>`` is accepted, and all keys see the same wallets."""
    account, writer = new_account(), WalletApi(base_url, key)
    assert writer.open_wallet(account).status == 201
    for other in KEYS:
        reader = WalletApi(base_url, other)
        reader._fresh = writer._fresh
        assert reader.balance(account).status == 200


CREDENTIALS = [
    None,
    "",
    "Bearer",
    "Bearer wrong",
    "Bearer first-key2",
    "Bearer first-ke",
    "Bearer FIRST-KEY",
    "Bearer first-key,second-key",
    "Basic first-key",
    "first-key",
    "Bearer first-key second-key",
    "Bearer \u00e9",
    "Bearer " + "x" * 4000,
]


@pytest.mark.parametrize("credentials", CREDENTIALS, ids=lambda text: repr(text)[:30])
def test_other_credentials_are_unauthorized(base_url: str, credentials: str | None) -> None:
    """A missing key, a wrong key or another scheme is a 401 problem on every route, before any other check."""
    account = new_account()
    headers: dict[str, str | bytes] = {**JSON}
    if credentials is not None:
        headers["Authorization"] = credentials.encode("utf-8")
    client = WalletApi(base_url)
    body = f'{{"accountId":"{account}","currency":"USD"}}'.encode()
    for call in (
        Call("POST", "/wallets", headers=headers, body=body),
        Call("POST", "/wallets", headers=headers, body=b"{"),
        Call("GET", "/wallets/a/balance", headers=headers),
        Call("GET", "/transfers/a", headers=headers),
        Call("POST", "/wallets/balanceTransfer", headers=headers, body=b"{}"),
        Call("DELETE", "/wallets/a", headers=headers),
    ):
        assert_problem(client.send(call), "unauthorized")
    assert_problem(WalletApi(base_url, KEYS[0]).balance(account), "wallet-not-found")


def test_the_challenge_names_the_scheme(base_url: str) -> None:
    """A 401 has the header ``WWW-Authenticate: Bearer`` (RFC 9110 §11.6.1)."""
    answer = WalletApi(base_url).balance("a")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_key_is_accepted_whatever_the_case_of_the_scheme(base_url: str, scheme: str) -> None:
    """The name of the authentication scheme is case-insensitive (RFC 9110 §11.1)."""
    headers = {"Authorization": f"{scheme} {KEYS[0]}"}
    answer = WalletApi(base_url).send(Call("GET", f"/wallets/{new_account()}/balance", headers=headers))
    assert_problem(answer, "wallet-not-found")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/docs", "/docs/swagger-ui.js", "/openapi.json"])
def test_health_and_docs_need_no_key(base_url: str, path: str) -> None:
    """Health and documentation routes need no key."""
    assert WalletApi(base_url).read(path).status == 200
