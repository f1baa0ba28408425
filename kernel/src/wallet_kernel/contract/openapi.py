"""The OpenAPI document of the contract, for both architectures: texts, answers, problems and links of OPERATIONS."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from wallet_kernel.contract.operations import OPERATIONS
from wallet_kernel.contract.problems import PROBLEM_TYPES, RETRY_AFTER_S, problem_uri
from wallet_kernel.contract.requests import CURSOR_PATTERN, STATEMENT_LIMIT_DEFAULT, STATEMENT_LIMIT_MAX
from wallet_kernel.contract.schemas import (
    ACCOUNT,
    POSITION,
    SCHEMAS,
    TAKES_CURRENCY,
    TRANSACTION_ID,
    Schema,
    known_currency,
)

_ALWAYS = ("unauthorized", "overloaded", "draining", "shard-unavailable", "internal-error")
_BODY = ("unsupported-media-type", "request-timeout", "body-too-large")
_KEYED = ("idempotency-key-reused", "outcome-unknown")
_PAYS_OR_IS_PAID = ("wallet-not-found", "wallet-closed", "wallet-frozen", "currency-mismatch")
_WAITS = ("position-not-reached",)
# PUT and DELETE of /wallets/balanceTransfer get 405, because the account name is reserved.
_RESERVED = ("method-not-allowed",)


class _Described(NamedTuple):
    """The parts of an operation that OPERATIONS lacks: its texts, answers and problems."""

    summary: str
    answers: dict[int, str]
    problems: tuple[str, ...]
    body: str | None = None
    query: tuple[str, ...] = ()
    keyed: bool = False


_DESCRIBED: Final[dict[str, _Described]] = {
    "transfer": _Described(
        "Move money from one wallet to another",
        {201: "Success", 202: "Pending"},
        (*_PAYS_OR_IS_PAID, "insufficient-funds", "balance-limit"),
        body="TransferRequest",
        keyed=True,
    ),
    "balance": _Described(
        "Get a wallet's balance, now or at a past moment",
        {200: "Wallet"},
        ("wallet-not-found", "currency-mismatch"),
        query=("currency", "at"),
    ),
    "openWallet": _Described(
        "Open a wallet",
        {201: "OpenedWallet"},
        ("wallet-exists",),
        body="WalletRequest",
        keyed=True,
    ),
    "deposit": _Described(
        "Put money into a wallet, from the external account",
        {201: "Success"},
        (*_PAYS_OR_IS_PAID, "balance-limit"),
        body="CashRequest",
        keyed=True,
    ),
    "withdraw": _Described(
        "Take money out of a wallet, to the external account",
        {201: "Success"},
        (*_PAYS_OR_IS_PAID, "insufficient-funds"),
        body="CashRequest",
        keyed=True,
    ),
    "statement": _Described(
        "List a wallet's postings, newest first",
        {200: "Statement"},
        ("wallet-not-found",),
        query=("limit", "cursor"),
    ),
    "changeStatus": _Described(
        "Freeze or unfreeze a wallet; repeating its current status changes nothing",
        {200: "Wallet"},
        ("wallet-not-found", "wallet-closed", "outcome-unknown", *_RESERVED),
        body="StatusRequest",
    ),
    "closeWallet": _Described(
        "Close an empty wallet permanently; closing it again changes nothing",
        {200: "Wallet"},
        ("wallet-not-found", "wallet-not-empty", "outcome-unknown", *_RESERVED),
    ),
    "lookUpTransfer": _Described(
        "Get the state and timeline of a transfer", {200: "Transfer"}, ("transfer-not-found",)
    ),
}

_EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "WalletRequest": {
        "payer": {"value": {"accountId": "user1", "currency": "USD", "balance": 100}},
        "payee": {"value": {"accountId": "user2", "currency": "USD"}},
    },
    "TransferRequest": {
        "payment": {
            "value": {"fromAccount": "user1", "toAccount": "user2", "amount": 10.234, "currency": "USD"}
        }
    },
    "CashRequest": {"cash": {"value": {"amount": "10.50", "currency": "USD"}}},
    "StatusRequest": {"unfreeze": {"value": {"status": "active"}}, "freeze": {"value": {"status": "frozen"}}},
}
"""Bodies that an empty system accepts in this order."""

_ITS_WALLET: Final = {"accountId": "$response.body#/accountId"}
_ITS_TRANSFER: Final = {"lookUpTransfer": {"transactionId": "$response.body#/transactionId"}}
_LEADS_TO: Final[dict[str, dict[str, dict[str, str]]]] = {
    "openWallet": {
        "balance": _ITS_WALLET,
        "statement": _ITS_WALLET,
        "deposit": _ITS_WALLET,
        "withdraw": _ITS_WALLET,
        "changeStatus": _ITS_WALLET,
        "closeWallet": _ITS_WALLET,
        **_ITS_TRANSFER,
    },
    "transfer": _ITS_TRANSFER,
    "deposit": _ITS_TRANSFER,
    "withdraw": _ITS_TRANSFER,
}

_PARAMETERS: Final[dict[str, Schema]] = {
    "accountId": {"in": "path", "required": True, "schema": ACCOUNT},
    "transactionId": {"in": "path", "required": True, "schema": TRANSACTION_ID},
    "at": {
        "in": "query",
        "description": "A past moment, RFC 3339 with zone, inclusive, such as `2026-01-31T12:00:00Z`.",
        "schema": {"type": "string", "format": "date-time"},
    },
    "limit": {
        "in": "query",
        "description": "Postings in a page.",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": STATEMENT_LIMIT_MAX,
            "default": STATEMENT_LIMIT_DEFAULT,
        },
    },
    "cursor": {
        "in": "query",
        "description": "`nextCursor` of an earlier page.",
        "schema": {"type": "string", "pattern": CURSOR_PATTERN},
    },
    "min_position": {
        "in": "query",
        "description": "Wait (bounded) until the answer reflects at least this position.",
        "schema": POSITION,
    },
    "Idempotency-Key": {
        "in": "header",
        "description": "Makes a retry safe: a request with the same key and body gets the first answer again. "
        "A key belongs to the paying wallet, or to the wallet that is opened or receives a deposit.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    },
}


def _expected_currency(currencies: Iterable[str]) -> Schema:
    return {
        "in": "query",
        "description": "The currency you expect the wallet to hold.",
        "schema": known_currency(currencies),
    }


_HEADERS: Final[dict[str, Schema]] = {
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "examples": [RETRY_AFTER_S]},
    },
    "Location": {"description": "The URL of the outcome.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true`: this is the answer of an earlier request with the same key.",
        "schema": {"const": "true"},
    },
    "Allow": {"description": "The methods of this path.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}},
}

_TITLES: Final = {
    200: "The current state.",
    201: "Done and durable.",
    202: "Not decided within the deadline.",
}
_POSITIONED = ("Success", "Pending", "Wallet", "OpenedWallet", "Statement", "Transfer")


def openapi(title: str, currencies: Iterable[str], *, positions: bool = False) -> dict[str, Any]:
    """Returns the contract as OpenAPI 3.1, for an installation with these currencies.

    With `positions` (cqrs), writes return a position and reads can wait for one.
    """
    parameters = {"currency": _expected_currency(currencies), **_PARAMETERS}
    paths: dict[str, dict[str, Any]] = {}
    for name, operation in OPERATIONS.items():
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(name, positions=positions)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version("wallet-kernel"), "license": _LICENSE},
        "security": [{}, {"apiKey": []}],
        "paths": paths | _HEALTH,
        "components": {
            "schemas": _with_currencies(_schemas(positions=positions), currencies),
            "parameters": {name: {"name": name} | rest for name, rest in parameters.items()},
            "headers": _HEADERS,
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer", "description": _KEYS}},
        },
    }


_LICENSE: Final = {"name": "MIT", "identifier": "MIT"}
_KEYS: Final = "Required if the installation has API keys (WALLET_API_KEYS)."


def problem_names(name: str, *, positions: bool = False) -> tuple[str, ...]:
    """Returns the problem types that an operation may answer with."""
    described, method = _DESCRIBED[name], OPERATIONS[name].method
    return (
        *(() if name == "lookUpTransfer" and not positions else ("invalid-request",)),
        *(_BODY if described.body else ()),
        *(_KEYED if described.keyed else ()),
        *described.problems,
        *(_WAITS if positions and method == "GET" else ()),
        *_ALWAYS,
    )


def _operation(name: str, *, positions: bool) -> dict[str, Any]:
    described = _DESCRIBED[name]
    responses = {
        str(status): _answer(status, schema, described) | _links(name, positions=positions)
        for status, schema in described.answers.items()
    }
    operation = {
        "operationId": name,
        "summary": described.summary,
        "parameters": [_ref("parameters", parameter) for parameter in _parameters(name, positions=positions)],
        "responses": responses | problems(problem_names(name, positions=positions), keyed=described.keyed),
    }
    if described.body:
        content = {"schema": _ref("schemas", described.body), "examples": _EXAMPLES[described.body]}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _links(name: str, *, positions: bool) -> dict[str, Any]:
    """Returns the links of a successful answer to the operations that accept its values as parameters."""
    found = {}
    for target, parameters in _LEADS_TO.get(name, {}).items():
        waits = positions and OPERATIONS[target].method == "GET"
        position = {"min_position": "$response.body#/position"} if waits else {}
        found[target] = {"operationId": target, "parameters": parameters | position}
    return {"links": found} if found else {}


def _parameters(name: str, *, positions: bool) -> Iterable[str]:
    method, path = OPERATIONS[name]
    yield from (part[1:-1] for part in path.split("/") if part.startswith("{"))
    yield from _DESCRIBED[name].query
    if positions and method == "GET":
        yield "min_position"
    if _DESCRIBED[name].keyed:
        yield "Idempotency-Key"


def _answer(status: int, schema: str, described: _Described) -> dict[str, Any]:
    headers = [
        *(["Location"] if schema == "Pending" else []),
        *(["Idempotent-Replayed"] if described.keyed else []),
    ]
    return {
        "description": _TITLES[status],
        "headers": {header: _ref("headers", header) for header in headers},
        "content": {"application/json": {"schema": _ref("schemas", schema)}},
    }


def problems(names: Iterable[str], *, keyed: bool = False) -> dict[str, Any]:
    """Returns the responses, by status, of an operation that may answer with these problem types."""
    by_status: dict[int, list[str]] = {}
    for name in names:
        by_status.setdefault(PROBLEM_TYPES[name].status, []).append(name)
    return {str(status): _problem(status, by_status[status], keyed=keyed) for status in sorted(by_status)}


def _problem(status: int, names: list[str], *, keyed: bool) -> dict[str, Any]:
    wanted = {"Retry-After": status == 503, "WWW-Authenticate": status == 401, "Allow": status == 405}
    wanted["Idempotent-Replayed"] = keyed and status in (404, 409)
    narrowed = {"status": {"const": status}, "type": {"enum": [problem_uri(name) for name in names]}}
    schema = {"allOf": [_ref("schemas", "Problem"), {"properties": narrowed}]}
    return {
        "description": "\n".join(f"- `{problem_uri(name)}`: {PROBLEM_TYPES[name].title}" for name in names),
        "headers": {header: _ref("headers", header) for header, present in wanted.items() if present},
        "content": {"application/problem+json": {"schema": schema}},
    }


def _schemas(*, positions: bool) -> dict[str, Schema]:
    if not positions:
        return SCHEMAS
    extra = {"properties": {"position": POSITION}}
    positioned = {name: _merged(SCHEMAS[name], extra | {"required": ["position"]}) for name in _POSITIONED}
    return SCHEMAS | positioned | {"Problem": _merged(SCHEMAS["Problem"], extra | {"required": []})}


def _with_currencies(schemas: dict[str, Schema], currencies: Iterable[str]) -> dict[str, Schema]:
    known = {"properties": {"currency": known_currency(currencies)}, "required": []}
    return schemas | {name: _merged(schemas[name], known) for name in TAKES_CURRENCY}


def _merged(schema: Schema, extra: Schema) -> Schema:
    return schema | {
        "properties": schema["properties"] | extra["properties"],
        "required": schema["required"] + extra["required"],
    }


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _health(summary: str, *statuses: int) -> dict[str, Any]:
    content = {"application/json": {"schema": _ref("schemas", "Health")}}
    titles = {200: "Yes.", 503: "Not now. `obstacles` lists the reasons."}
    responses = {str(status): {"description": titles[status], "content": content} for status in statuses}
    return {"get": {"summary": summary, "security": [{}], "responses": responses}}


_HEALTH: Final = {
    "/livez": _health("Whether the process is alive", 200),
    "/readyz": _health("Whether the service can do its work", 200, 503),
}
