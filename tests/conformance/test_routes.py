"""The routes of the public port, and the answers to all other paths and methods."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from tests.blackbox.api import JSON, Call, WalletApi
from tests.blackbox.pairs import Pair
from tests.blackbox.problems import assert_complete, assert_problem
from tests.blackbox.stack import Stack

ROUTES = {
    "/wallets": {"POST"},
    "/wallets/balanceTransfer": {"POST"},
    "/wallets/{}": {"PUT", "DELETE"},
    "/wallets/{}/balance": {"GET"},
    "/wallets/{}/transactions": {"GET"},
    "/wallets/{}/deposits": {"POST"},
    "/wallets/{}/withdrawals": {"POST"},
    "/transfers/{}": {"GET"},
}
PROBES = {"/livez": {"GET"}, "/readyz": {"GET"}, "/docs": {"GET"}, "/openapi.json": {"GET"}}
STREAM = "/wallets/{}/balance/stream"
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND")
RIGHT_METHODS = ROUTES | PROBES
WRONG_METHODS = [
    (method, path) for path, right in RIGHT_METHODS.items() for method in METHODS if method not in right
]
UNKNOWN = [
    "/",
    "/nope",
    "/wallets/a/b/c",
    "/wallets/a/nope",
    "/transfers",
    "/transfers/",
    "/transfers/a/b",
    "/Wallets",
    "/wallets/",
    "/wallets/a/balance/",
    "/wallets//balance",
    "//wallets",
    "/livez/",
    "/readyz/x",
    "/docs/x",
    "/openapi.yaml",
    "/favicon.ico",
    "/robots.txt",
    "/.env",
    "/redoc",
    "/metrics",
    "/metrics/",
    "/internal",
    "/internal/",
    "/internal/steps",
    "/internal/recovery",
    "/steps",
    "/debit",
    "/credit",
    "/refund",
    "/complete",
    "/claim",
    "/recovery",
    "/debug",
    "/admin",
    "/health",
    "/shards/0",
    "/worker",
    "/problems/invalid-request",
]
WEIRD = [
    "/wallets/%00/balance",
    "/wallets/a%00b/balance",
    "/wallets/a%2Fb/balance",
    "/wallets/%2e%2e/balance",
    "/wallets/%ff/balance",
    "/wallets/%F0%9F%98%80/balance",
    "/wallets/%C3%A9/balance",
    "/wallets/a%0A/balance",
    "/wallets/a%20b/balance",
    "/wallets/" + "a" * 8000 + "/balance",
    "/" + "x" * 8000,
    "/%00",
    "/%ff%fe",
    "/transfers/%00",
    "/transfers/%2F",
    "/transfers/" + "f" * 4000,
    "/transfers/not-a-uuid",
    "/transfers/%F0%9F%98%80",
    "/transfers/0",
    "/transfers/-1",
    "/wallets/%25/balance",
    "/wallets/a'%20OR%201=1--/balance",
    "/wallets/a;b/balance",
    "/wallets/%3Cscript%3E/balance",
    "/wallets/../balance",
]


@pytest.mark.parametrize("path", UNKNOWN, ids=repr)
def test_other_paths_are_not_found(api: WalletApi, path: str) -> None:
    """An unknown route is a 404 problem, never a redirect. /metrics and internal routes are not on the public port."""
    for method in ("GET", "POST"):
        assert_problem(
            api.send(Call(method, path, headers=JSON, body=b"{}" if method == "POST" else None)), "not-found"
        )


def test_routes_of_the_services_own_ports_are_not_public(api: WalletApi, stack: Stack) -> None:
    """Routes that a service serves only on its own port are a 404 on the public port."""
    own = {path for part in stack.components if part.url for path in _documented(part.url)}
    for path in {
        re.sub(r"\{[^}]*\}", "1", path) for path in own if _anonymous(path) not in {*ROUTES, *PROBES, STREAM}
    }:
        for method in ("GET", "POST"):
            answer = api.send(Call(method, path, headers=JSON, body=b"{}" if method == "POST" else None))
            assert_problem(answer, "not-found", "method-not-allowed")


def _documented(url: str) -> list[str]:
    """The paths in a service's own OpenAPI document; empty if it has none."""
    client = WalletApi(url)
    try:
        answer = client.read("/openapi.json")
        return list(answer.document["paths"]) if answer.status == 200 else []
    finally:
        client.close()


def _anonymous(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


@pytest.mark.parametrize(("method", "path"), WRONG_METHODS)
def test_other_methods_are_not_allowed(api: WalletApi, still_pair: Pair, method: str, path: str) -> None:
    """A known route with a wrong method is a 405 problem. Its Allow header lists the route's methods."""
    body = b"{}" if method in ("POST", "PUT", "PATCH") else None
    answer = api.send(Call(method, path.replace("{}", still_pair.payer), headers=JSON, body=body))
    assert_problem(answer, "method-not-allowed")
    allowed = {name.strip() for name in answer.headers["allow"].split(",")}
    assert RIGHT_METHODS[path] <= allowed <= {*RIGHT_METHODS[path], "HEAD"}


@pytest.mark.parametrize("method", ["FOO", "M-SEARCH2", "X"])
def test_unknown_methods_are_not_implemented(api: WalletApi, still_pair: Pair, method: str) -> None:
    """A method unknown to the project's HTTP servers is a 501 problem (RFC 9110 §9.1)."""
    answer = api.send(Call(method, f"/wallets/{still_pair.payer}/balance"))
    assert_problem(answer, "method-not-implemented")
    assert answer.document["instance"] == f"/wallets/{still_pair.payer}/balance"


@pytest.mark.parametrize("path", [path for path, right in RIGHT_METHODS.items() if "GET" in right])
def test_head_is_answered_as_get_without_a_body(api: WalletApi, still_pair: Pair, path: str) -> None:
    """HEAD returns the status and headers of GET without a body."""
    path = path.replace("{}", still_pair.payer)
    got, head = api.read(path), api.send(Call("HEAD", path, reads=True))
    assert (head.status, head.content) == (got.status, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == got.headers[name]


def test_head_of_a_stream_opens_no_stream(api: WalletApi, still_pair: Pair, stack: Stack) -> None:
    """HEAD of a stream is answered immediately and does not delay later requests."""
    if stack.architecture != "cqrs":
        pytest.skip("only cqrs has streams")
    for _ in range(20):
        answer = api.send(Call("HEAD", STREAM.replace("{}", still_pair.payer), reads=True))
        assert (answer.status, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-length" not in answer.headers
        assert api.balance(still_pair.payer).document["accountId"] == still_pair.payer
    assert api.send(Call("HEAD", STREAM.replace("{}", "nobody"))).status == 404


@pytest.mark.parametrize("path", [path for path, right in RIGHT_METHODS.items() if "GET" not in right])
def test_head_without_get_is_not_allowed(api: WalletApi, still_pair: Pair, path: str) -> None:
    """HEAD of a route without GET is a 405 without a body; the Allow header lists the methods."""
    answer = api.send(Call("HEAD", path.replace("{}", still_pair.payer)))
    assert (answer.status, answer.content) == (405, b"")
    assert RIGHT_METHODS[path] <= {name.strip() for name in answer.headers["allow"].split(",")}


@pytest.mark.parametrize("path", RIGHT_METHODS)
def test_options_names_the_methods(api: WalletApi, still_pair: Pair, path: str) -> None:
    """OPTIONS is a 204 without a body; the Allow header lists the route's methods."""
    answer = api.send(Call("OPTIONS", path.replace("{}", still_pair.payer)))
    assert (answer.status, answer.content) == (204, b"")
    right = RIGHT_METHODS[path] | ({"HEAD"} if "GET" in RIGHT_METHODS[path] else set())
    assert {name.strip() for name in answer.headers["allow"].split(",")} == right


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_head_and_options_of_other_paths_are_not_found(api: WalletApi, method: str) -> None:
    """HEAD and OPTIONS of an unknown route are a 404."""
    answer = api.send(Call(method, "/nope"))
    assert (answer.status, answer.content == b"") == (404, method == "HEAD")


@pytest.mark.parametrize("path", WEIRD, ids=lambda path: path[:40])
def test_weird_paths_get_problem_documents(api: WalletApi, path: str) -> None:
    """Paths with NUL, encoded slashes, non-ASCII letters or very long names are a 404 or 422 with a full problem."""
    answer = api.send(Call("GET", path))
    assert answer.status in (404, 422), answer
    assert_complete(answer)


@pytest.mark.parametrize("path", ["/wallets/%/balance", "/wallets/%zz/balance"])
def test_invalid_percent_escape_gets_400(api: WalletApi, path: str) -> None:
    """A path that is not a URI (RFC 3986) gets a plain 400 from the HTTP parser or a complete problem from a route."""
    answer = api.send(Call("GET", path))
    assert answer.status in (400, 404, 422), answer
    if answer.status != 400:
        assert_complete(answer)


@pytest.mark.parametrize(
    "query",
    [
        "?currency=",
        "?currency=usd",
        "?currency=%00",
        "?currency=" + "U" * 4000,
        "?at=%ff",
        "?%00=1",
        "?=&&==",
        "?limit=1;",
    ],
)
def test_unknown_query_parameters_cause_no_server_error(api: WalletApi, still_pair: Pair, query: str) -> None:
    """An unknown query parameter is ignored or refused with a complete problem; it never causes a server error."""
    for route in ("balance", "transactions"):
        answer = api.send(Call("GET", f"/wallets/{still_pair.payer}/{route}{query}"))
        assert answer.status in (200, 409, 422), answer
        if answer.status != 200:
            assert_complete(answer)


def test_the_problem_names_its_instance(api: WalletApi) -> None:
    """``instance`` is unique per request: two refused requests on two wallets have different values."""
    first, second = api.read("/wallets/nobody-1/balance"), api.read("/wallets/nobody-2/balance")
    assert first.document["instance"] != second.document["instance"]


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_public(api: WalletApi, path: str) -> None:
    """/livez and /readyz return 200 on the public port of a healthy stack."""
    assert api.read(path).status == 200


def test_the_docs_are_public(api: WalletApi) -> None:
    """/docs returns an HTML page."""
    answer = api.read("/docs")
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "text/html")


def test_docs_page_loads_nothing_from_other_hosts(api: WalletApi) -> None:
    """Every file that /docs loads comes from the same host, so the page works offline."""
    for path in re.findall(r'(?:src|href)="([^"]*)"', api.read("/docs").content.decode()):
        assert path.startswith("/docs/")
        assert api.send(Call("GET", path)).status == 200


def test_openapi_names_every_route_of_the_contract(api: WalletApi) -> None:
    """/openapi.json lists every route and method of the contract in one document, and no internal route."""
    document = api.read("/openapi.json").document
    assert document["openapi"].startswith("3.")
    documented = {
        _anonymous(path): {name.upper() for name in item} for path, item in document["paths"].items()
    }
    for path, methods in ROUTES.items():
        assert methods <= documented.get(path, set()), path
    assert set(documented) <= set(ROUTES) | set(PROBES) | {STREAM}


def test_a_path_may_be_percent_encoded(api: WalletApi, still_pair: Pair) -> None:
    """Every letter of an account name in a path may be percent-encoded."""
    encoded = "".join(f"%{ord(letter):02X}" for letter in still_pair.payer)
    assert quote(still_pair.payer) != encoded
    assert api.send(Call("GET", f"/wallets/{encoded}/balance")).document["accountId"] == still_pair.payer
