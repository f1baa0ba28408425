"""The apps of a service: the routes of each port, their authorisation, and answers to unknown routes."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from wallet_kernel.contract.operations import OPERATIONS, mount
from wallet_kernel.http import App, Request, Response
from wallet_kernel.runtime.apps import SECRET_HEADER, internal_app, public_app
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.readiness import NotReady

pytestmark = pytest.mark.anyio
Exchange = Callable[..., Coroutine[Any, Any, Any]]

SECRET = "a secret of some length"
DOCUMENT = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}


async def handler(request: Request) -> Response:
    """Answers with the requested wallet."""
    return Response(200, str(request.params).encode())


def public(*, lifecycle: Lifecycle | None = None, api_keys: tuple[str, ...] = ()) -> App:
    """Returns a public app with every operation of the contract."""
    routes = mount(dict.fromkeys(OPERATIONS, handler))
    return public_app("test", routes, DOCUMENT, lifecycle or Lifecycle(10), api_keys)


def own(lifecycle: Lifecycle | None = None) -> App:
    """Returns an internal app with one internal route."""
    return internal_app("test", mount({"balance": handler}), lifecycle or Lifecycle(10), SECRET)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_every_operation_reaches_its_handler(exchange: Exchange, name: str) -> None:
    """Each operation is found under its method and path, and gets its path parameters."""
    method, path = OPERATIONS[name]
    reply = await exchange(public(), method, path.replace("{", "").replace("}", ""))
    assert reply.status == 200
    parameters = {part.strip("{}"): part.strip("{}") for part in path.split("/") if part.startswith("{")}
    assert reply.body == str(parameters).encode()


async def test_service_does_not_start_with_an_unknown_operation() -> None:
    """A handler for an operation outside the contract stops the service at its start."""
    with pytest.raises(KeyError, match="balanec"):
        mount({"balanec": handler})


async def test_hot_operations_are_matched_first() -> None:
    """Routes keep the table's order, regardless of the order of the handlers."""
    routes = mount(dict.fromkeys(reversed(OPERATIONS), handler))
    matched = [route.path for route in routes if route.name in OPERATIONS]
    assert matched == [operation.path for operation in OPERATIONS.values()]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/wallets/",
        "/wallets/a/b/c",
        "/wallets//balance",
        "/wallets/a/b/balance",
        "/nope?",
        "/metrics",
        "/redoc",
        "/internal",
    ],
)
async def test_unknown_route_gets_not_found_problem(exchange: Exchange, path: str) -> None:
    """Unknown routes get 404 not-found with the requested path, and so does /metrics on the public port."""
    reply = await exchange(public(), "GET", path)
    assert (reply.status, reply.document["type"]) == (404, "/problems/not-found")
    assert reply.document["instance"] == path
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/wallets", "POST"),
        ("PATCH", "/wallets/user1", "DELETE, PUT"),
        ("POST", "/wallets/user1/balance", "GET, HEAD"),
        ("DELETE", "/wallets/user1/balance", "GET, HEAD"),
        ("DELETE", "/livez", "GET, HEAD"),
        ("GET", "/wallets/balanceTransfer", "POST"),
        ("PUT", "/wallets/balanceTransfer", "POST"),
        ("DELETE", "/wallets/balanceTransfer", "POST"),
        ("GET", "/wallets/balance", "DELETE, PUT"),
    ],
)
async def test_wrong_method_gets_405_with_the_allowed_methods(
    exchange: Exchange, method: str, path: str, allow: str
) -> None:
    """A wrong method gets 405, and Allow lists every method of the path."""
    reply = await exchange(public(), method, path)
    assert (reply.status, reply.document["type"]) == (405, "/problems/method-not-allowed")
    assert reply.headers["allow"] == allow
    options = await exchange(public(), "OPTIONS", path)
    assert (options.status, options.body, options.headers["allow"]) == (204, b"", allow)


@pytest.mark.parametrize("host", ["[", "a b", "", "::", "example.com:99999999"])
async def test_malformed_host_header_causes_no_error(exchange: Exchange, host: str) -> None:
    """A malformed Host header does not cause a 500."""
    reply = await exchange(public(), "GET", "/nope", headers={"host": host})
    assert (reply.status, reply.document["instance"]) == (404, "/nope")


async def test_documentation_is_public(exchange: Exchange) -> None:
    """The OpenAPI document and its page are served without a key."""
    assert (await exchange(public(), "GET", "/openapi.json")).document == DOCUMENT
    assert (await exchange(public(), "GET", "/docs")).status == 200


@pytest.mark.parametrize("app", [public(), own()], ids=["public", "own"])
async def test_health_is_served_on_both_ports(exchange: Exchange, app: App) -> None:
    """Health requests need no key or secret."""
    assert (await exchange(app, "GET", "/livez")).document == {"status": "alive"}
    assert (await exchange(app, "GET", "/readyz")).document == {"status": "ready"}


@pytest.mark.parametrize(
    ("make", "expected"),
    [(public, ["database"]), (own, {"database": "NotReady: not migrated"})],
    ids=["public", "own"],
)
async def test_unready_service_gives_the_reason(
    exchange: Exchange, make: Callable[..., App], expected: object
) -> None:
    """An unready service answers 503 and closes the connection. Only the internal port shows the reasons."""

    async def database() -> None:
        raise NotReady("not migrated")

    app = make(lifecycle=Lifecycle(10, {"database": database}))
    reply = await exchange(app, "GET", "/readyz")
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert reply.headers.get("connection") == "close"
    assert reply.document == {"status": "not ready", "obstacles": expected}
    assert (await exchange(app, "GET", "/livez")).status == 200


async def test_every_client_may_call_if_no_keys_are_set(exchange: Exchange) -> None:
    """Without API keys in the settings, every client may request."""
    assert (await exchange(public(), "GET", "/wallets/user1/balance")).status == 200


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer ", "Bearer two", "one", "Basic one", "Bearer one,two!"]
)
async def test_request_without_a_valid_key_is_refused_if_keys_are_set(
    exchange: Exchange, given: str | None
) -> None:
    """A request without a valid key gets 401 with a challenge, even on unknown routes, so it reveals nothing."""
    headers = {} if given is None else {"Authorization": given}
    for path in ("/wallets/user1/balance", "/nope"):
        reply = await exchange(public(api_keys=("one", "two!")), "GET", path, headers=headers)
        assert (reply.status, reply.document["type"]) == (401, "/problems/unauthorized")
        assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("key", ["one", "two!"])
async def test_request_is_served_with_any_of_the_api_keys(exchange: Exchange, key: str, scheme: str) -> None:
    """Any of the keys works, the scheme is case-insensitive, and health and docs need no key."""
    app = public(api_keys=("one", "two!"))
    headers = {"Authorization": f"{scheme} {key}"}
    assert (await exchange(app, "GET", "/wallets/user1/balance", headers=headers)).status == 200
    for path in ("/livez", "/readyz", "/docs", "/openapi.json"):
        assert (await exchange(app, "GET", path)).status == 200


async def test_internal_routes_need_the_service_secret(exchange: Exchange) -> None:
    """Internal routes need the service secret; health and metrics do not."""
    assert (await exchange(own(), "GET", "/wallets/user1/balance")).status == 401
    wrong = {SECRET_HEADER: SECRET + "x"}
    assert (await exchange(own(), "GET", "/wallets/user1/balance", headers=wrong)).status == 401
    right = {SECRET_HEADER: SECRET}
    assert (await exchange(own(), "GET", "/wallets/user1/balance", headers=right)).status == 200


async def test_direct_internal_posts_need_the_secret_and_count_against_the_bound(exchange: Exchange) -> None:
    """Requests that bypass the framework need the same secret, count against the same bound, and must be POSTs."""

    async def done(_: Request) -> Response:
        return Response(200, b"done")

    app = internal_app("test", mount({"transfer": done}), Lifecycle(10), SECRET)
    path, secret = OPERATIONS["transfer"].path, {SECRET_HEADER: SECRET}
    assert (await exchange(app, "POST", path)).status == 401
    assert (await exchange(app, "POST", path, headers=secret)).body == b"done"
    assert (await exchange(app, "GET", path, headers=secret)).status == 405
    assert (await exchange(app, "POST", path + "/x", headers=secret)).status == 404


async def test_metrics_are_served_on_the_internal_port(exchange: Exchange) -> None:
    """The internal port serves the service's metrics and its build."""
    reply = await exchange(own(), "GET", "/metrics")
    assert reply.status == 200
    assert b"wallet_request_seconds" in reply.body
    assert b"wallet_build_info{" in reply.body


async def test_internal_port_has_no_documentation(exchange: Exchange) -> None:
    """The internal port has no documentation."""
    for path in ("/docs", "/openapi.json", "/redoc"):
        assert (await exchange(own(), "GET", path, headers={SECRET_HEADER: SECRET})).status == 404


@pytest.mark.parametrize(("method", "problem"), [("GET", "draining"), ("DELETE", "outcome-unknown")])
async def test_request_cut_off_at_shutdown_gets_a_problem(
    exchange: Exchange, method: str, problem: str
) -> None:
    """If the server cancels a request, its client gets a problem that asks for a retry, not a failure."""

    async def stuck(_: Request) -> Response:
        await asyncio.sleep(60)
        raise AssertionError

    routes = mount({"lookUpTransfer": stuck, "closeWallet": stuck})
    app = public_app("test", routes, DOCUMENT, Lifecycle(10))
    path = "/transfers/x" if method == "GET" else "/wallets/user1"
    task = asyncio.create_task(exchange(app, method, path))
    await asyncio.sleep(0.01)
    task.cancel()
    reply = await task
    assert (reply.status, reply.document["type"]) == (503, f"/problems/{problem}")
    assert reply.headers["retry-after"] == "1"
