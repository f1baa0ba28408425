"""The operations of the public API, by name: what a service mounts, and what the OpenAPI document describes."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from starlette.routing import Route

from wallet_kernel.endpoint import Endpoint
from wallet_kernel.http import Handler


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
    """The routes of these operations, in the table's order: the hot ones are matched first."""
    unknown = handlers.keys() - OPERATIONS.keys()
    if unknown:
        raise KeyError(f"the contract has no operation {sorted(unknown)}")
    return [_route(name, handlers[name]) for name in OPERATIONS if name in handlers]


def _route(name: str, handler: Handler) -> Route:
    operation = OPERATIONS[name]
    takes_body = operation.method in ("POST", "PUT")
    return Route(operation.path, Endpoint(name, handler, takes_body=takes_body), methods=[operation.method])
