"""The fastapi.FastAPI apps of a service: public (the contract) and internal (health, metrics, internal routes)."""

import hmac
import platform
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import fastapi
from prometheus_client import CONTENT_TYPE_LATEST, Info, generate_latest
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route

from wallet_kernel.contract.operations import CONTRACT, hot_lane
from wallet_kernel.contract.problems import Problem
from wallet_kernel.http import App, Receive, Request, Response, Scope, Send, send_response
from wallet_kernel.runtime.docs_page import DOCS_PATHS, docs_routes
from wallet_kernel.runtime.health import Health, health, health_lane
from wallet_kernel.runtime.lifecycle import OPEN_PATHS, Lifecycle

OPENAPI_PATH = "/openapi.json"
SECRET_HEADER = "x-service-secret"  # noqa: S105 - the name of the header

_BUILD = Info("wallet_build", "Versions of this process.")


def public_app(
    title: str,
    routes: Sequence[Route],
    openapi: Mapping[str, Any],
    lifecycle: Lifecycle,
    api_keys: Iterable[str] = (),
) -> App:
    """Returns the app of the public port: contract, health and documentation. It checks API keys if there are any."""
    answers = health(lifecycle, public=True)
    framework = _app(title, [*routes, *docs_routes(title, OPENAPI_PATH)], answers, openapi_url=OPENAPI_PATH)
    framework.openapi = lambda: dict(openapi)  # type: ignore[method-assign]
    app = hot_lane(health_lane(framework, answers), routes)
    accepted = [key.encode() for key in api_keys]
    open_paths = OPEN_PATHS | DOCS_PATHS | {OPENAPI_PATH}
    public = _cut_off_with_a_problem(app)
    return lifecycle.guard(_authorised(public, _bearer_token, accepted, open_paths) if accepted else public)


def internal_app(title: str, routes: Sequence[Route], lifecycle: Lifecycle, secret: str) -> App:
    """Returns the app of the internal port: health, metrics, and internal routes that need the service secret."""
    answers = health(lifecycle, public=False)
    app = _app(title, routes, answers, openapi_url=None)
    app.add_api_route("/metrics", _metrics(lifecycle), methods=["GET", "HEAD"])
    _BUILD.info({"service": title, "version": version("wallet-kernel"), "python": platform.python_version()})
    served = _direct(health_lane(app, answers), routes)
    return lifecycle.guard(_authorised(served, _service_secret, [secret.encode()], OPEN_PATHS))


def _app(
    title: str,
    routes: Sequence[BaseRoute],
    answers: Health,
    openapi_url: str | None,
) -> fastapi.FastAPI:
    app = fastapi.FastAPI(
        title=title, docs_url=None, openapi_url=openapi_url, redoc_url=None, redirect_slashes=False
    )
    app.router.routes[:0] = routes

    async def no_route(request: fastapi.Request, _: Exception) -> fastapi.Response:
        return _no_route(app, request)

    for path, answer in answers.items():
        app.add_api_route(path, _framed(answer), methods=["GET", "HEAD"])
    app.add_exception_handler(HTTPException, no_route)
    return app


def _direct(app: App, routes: Sequence[Route]) -> App:
    """Serves internal routes without the framework's layers, because every batch uses them. Their paths are fixed."""
    endpoints = {route.path: route.app for route in routes if route.methods == {"POST"}}

    async def direct(scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = endpoints.get(scope["path"], app) if scope["method"] == "POST" else app
        await endpoint(scope, receive, send)

    return direct


def _metrics(lifecycle: Lifecycle) -> Callable[[], Awaitable[fastapi.Response]]:
    async def metrics() -> fastapi.Response:
        lifecycle.refresh()  # the result appears in the next scrape
        return fastapi.Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return metrics


def _framed(answer: Callable[[], Awaitable[Response]]) -> Callable[[], Awaitable[fastapi.Response]]:
    """Wraps a health answer into a response of the framework."""

    async def framed() -> fastapi.Response:
        return _response(await answer())

    return framed


def _no_route(app: fastapi.FastAPI, request: fastapi.Request) -> fastapi.Response:
    allow = ", ".join(_methods(app, request))
    if allow and request.method == "OPTIONS":
        return fastapi.Response(status_code=204, headers={"allow": allow})
    if allow:
        problem = Problem(
            "method-not-allowed", f"Allowed methods: {allow}.", headers=((b"allow", allow.encode()),)
        )
    else:
        problem = Problem("not-found", "The public routes are listed in /openapi.json.")
    return _response(problem.response(request.scope["path"]))


def _response(response: Response) -> fastapi.Response:
    headers = {name.decode(): value.decode() for name, value in response.headers}
    return fastapi.Response(response.body, response.status, headers, response.content_type.decode())


def _methods(app: fastapi.FastAPI, request: fastapi.Request) -> list[str]:
    """Returns the methods of the request's path, or an empty list if there is no such route."""
    # A service may serve only a part of the contract, but every service lists all of a path's methods.
    contract = CONTRACT if app.openapi_url else []
    routes = [route for route in (*app.routes, *contract) if isinstance(route, Route)]
    matching = [route for route in routes if route.matches(request.scope)[0] != Match.NONE]
    if not matching:
        return []
    # As in the router, the first matching route decides: /wallets/balanceTransfer is a route, not a wallet's name.
    path = matching[0].path
    return sorted({method for route in matching if route.path == path for method in route.methods or ()})


def _cut_off_with_a_problem(app: App) -> App:
    """Answers a request that the server cancels after the drain's timeout, where uvicorn would send a bare 500."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except CancelledError:
            problem = _NOT_READ if scope["method"] in ("GET", "HEAD") else _NOT_KNOWN
            await send_response(problem.response(scope["path"]), send)

    return answering


_NOT_READ = Problem("draining", "This replica has stopped. Send the request again.")
_NOT_KNOWN = Problem(
    "outcome-unknown",
    "This replica stopped before the outcome was known; send the request again with its Idempotency-Key.",
)


def _bearer_token(request: Request) -> bytes:
    """Returns the token of an Authorization header. The case of the scheme does not matter (RFC 9110 §11.1)."""
    scheme, _, token = (request.header(b"authorization") or b"").partition(b" ")
    return token.strip(b" ") if scheme.lower() == b"bearer" else b""


def _service_secret(request: Request) -> bytes:
    return request.header(SECRET_HEADER.encode()) or b""


def _authorised(
    app: App, shown: Callable[[Request], bytes], accepted: Sequence[bytes], open_paths: Iterable[str]
) -> App:
    """Lets a request pass if it carries one of the accepted values. Compares them in constant time."""
    open_to_all = frozenset(open_paths)
    name = "Authorization" if shown is _bearer_token else SECRET_HEADER
    problem = Problem(
        "unauthorized", f"Send a valid {name} header.", headers=((b"www-authenticate", b"Bearer"),)
    )

    async def authorised(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in open_to_all or _any_equal(shown(Request(scope)), accepted):
            await app(scope, receive, send)
        else:
            await send_response(problem.response(scope["path"]), send)

    return authorised


def _any_equal(given: bytes, accepted: Sequence[bytes]) -> bool:
    """Returns whether `given` is one of these values. The time does not depend on which value matches."""
    return sum(hmac.compare_digest(given, value) for value in accepted) > 0
