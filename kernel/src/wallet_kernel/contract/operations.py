"""The operations of the public API, by name. Services mount them, and the OpenAPI document describes them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.routing import Route

from wallet_kernel.endpoint import Endpoint
from wallet_kernel.http import App, Handler, Receive, Scope, Send


class Operation(NamedTuple):
    """A method on a path."""

    method: str
    path: str


OPERATIONS: Final[dict[str, Operation]] = {
    "transfer": Operation("POST", "/wallets/balanceTransfer"),
    "balance": Operation("GET", "/wallets/{accountId}/balance"),
    "openWallet": Operation("POST", "/wallets"),
    "deposit": Operation("POST", "/wallets/{accountId}/deposits"),
    "withdraw": Operation("POST", "/wallets/{accountId}/withdrawals"),
    "statement": Operation("GET", "/wallets/{accountId}/transactions"),
    "changeStatus": Operation("PUT", "/wallets/{accountId}"),
    "closeWallet": Operation("DELETE", "/wallets/{accountId}"),
    "lookUpTransfer": Operation("GET", "/transfers/{transactionId}"),
}


def mount(handlers: Mapping[str, Handler]) -> list[Route]:
    """Returns the routes of these operations in the table's order, so that frequent ones are matched first.

    A route without parameters comes with a second route that refuses all other methods. Without it, PUT
    /wallets/balanceTransfer would change the status of a wallet with that name. Raises KeyError for unknown operations.
    """
    unknown = handlers.keys() - OPERATIONS.keys()
    if unknown:
        raise KeyError(f"the contract has no operation {sorted(unknown)}")
    return [route for name in OPERATIONS if name in handlers for route in _routes(name, handlers[name])]


def _routes(name: str, handler: Handler) -> Iterator[Route]:
    operation = OPERATIONS[name]
    takes_body = operation.method in ("POST", "PUT")
    endpoint = Endpoint(name, handler, takes_body=takes_body)
    yield Route(operation.path, endpoint, methods=[operation.method], name=name)
    if "{" not in operation.path:
        yield Route(operation.path, _WrongMethod(), name=f"{name}-wrong-method")


class _WrongMethod:
    async def __call__(self, *_: object) -> None:
        raise HTTPException(405)


async def _elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotImplementedError("this route is never mounted; it only declares a path and a method")


CONTRACT: Final[list[Route]] = [
    Route(path, _elsewhere, methods=[method]) for method, path in OPERATIONS.values()
]
"""All paths and methods of the contract, including those that another service serves."""


def hot_lane(app: App, routes: Sequence[Route]) -> App:
    """Serves transfers and balances without the framework and passes other requests to `app`, which has all routes.

    The framework's layers cost as much as the rest of a transfer's HTTP (docs/decisions/0002).
    """
    hot = {route.name: route.app for route in routes}
    transfer, balance = hot.get("transfer", app), hot.get("balance", app)
    transfer_path = OPERATIONS["transfer"].path
    before, after = OPERATIONS["balance"].path.split("{accountId}")

    async def lane(scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if method == "POST" and path == transfer_path:
            scope["path_params"] = {}
            await transfer(scope, receive, send)
        elif method == "GET" and (account := _segment(path, before, after)):
            scope["path_params"] = {"accountId": account}
            await balance(scope, receive, send)
        else:
            await app(scope, receive, send)

    return lane


def _segment(path: str, before: str, after: str) -> str:
    """Returns the single path segment between `before` and `after`, or "" if the path has another form."""
    segment = path[len(before) : -len(after)]
    fits = path.startswith(before) and path.endswith(after) and "/" not in segment
    return segment if fits else ""
