"""The JSON schemas of the contract's documents, for its OpenAPI document."""

from collections.abc import Iterable
from typing import Any, Final

from wallet_kernel.contract.amount_pattern import AMOUNT_PATTERN, BALANCE_PATTERN
from wallet_kernel.contract.requests import (
    ACCOUNT_PATTERN,
    POSITION_MAX,
    RESERVED_ACCOUNT,
    TRANSACTION_ID_PATTERN,
)
from wallet_kernel.money import AMOUNT_MAX_MICROS, MICROS_PER_UNIT

Schema = dict[str, Any]

_EXAMPLE_ID = "0199a0d4-7a00-8abc-8def-0123456789ab"

ACCOUNT: Final[Schema] = {
    "type": "string",
    "pattern": ACCOUNT_PATTERN,
    "not": {"const": RESERVED_ACCOUNT},
    "description": f"Name of a wallet. `{RESERVED_ACCOUNT}` is reserved, because it is a route.",
    "examples": ["user1"],
}
CURRENCY: Final[Schema] = {
    "type": "string",
    "pattern": "^[A-Z]{3}$",
    "description": "ISO 4217 code.",
    "examples": ["USD"],
}


def known_currency(currencies: Iterable[str]) -> Schema:
    """Returns the schema of a currency in a request: one of the installation's currencies."""
    return {"type": "string", "enum": list(currencies)}


TRANSACTION_ID: Final[Schema] = {
    "type": "string",
    "format": "uuid",
    "pattern": TRANSACTION_ID_PATTERN,
    "description": "The id of a transfer, deposit, withdrawal or opening.",
    "examples": [_EXAMPLE_ID],
}
TIME: Final[Schema] = {
    "type": "string",
    "format": "date-time",
    "description": "RFC 3339, UTC, microseconds; the database's time.",
    "examples": ["2026-01-31T12:00:00.000000Z"],
}
POSITION: Final[Schema] = {
    "type": "integer",
    "minimum": 0,
    "maximum": POSITION_MAX,
    "description": "Position in the event log. Pass it as `min_position` to wait for it in a read.",
}
_VERSION: Final[Schema] = {
    "type": "integer",
    "minimum": 1,
    "description": "Grows by exactly 1 with every posting and status change of the wallet.",
    "examples": [3],
}
_PARTY: Final[Schema] = {
    "type": "string",
    "description": "A wallet, or the system's external account.",
    "examples": ["user2", "@external"],
}
_AMOUNT_MAX: Final = AMOUNT_MAX_MICROS / MICROS_PER_UNIT
_STATUS: Final[Schema] = {"type": "string", "enum": ["active", "frozen", "closed"]}
_REASON: Final[Schema] = {
    "type": "string",
    "format": "uri-reference",
    "description": "The `type` of the problem that ended the transfer.",
    "examples": ["/problems/insufficient-funds"],
}


def _money(description: str, example: float) -> Schema:
    """Returns the schema of an amount in an answer: an exact JSON number, which a float may not hold exactly."""
    return {"type": "number", "description": description, "examples": [example]}


def _money_in(description: str, *, zero: bool) -> Schema:
    """Returns the schema of an amount in a request, exactly as the service accepts it: a number or a decimal string."""
    at_least: Schema = {"minimum": 0} if zero else {"exclusiveMinimum": 0}
    return {
        "description": f"{description} Exact: at most 6 decimal places, up to 9223372036854.775807.",
        "anyOf": [
            {"type": "number", **at_least, "maximum": _AMOUNT_MAX, "multipleOf": 1 / MICROS_PER_UNIT},
            {"type": "string", "pattern": BALANCE_PATTERN if zero else AMOUNT_PATTERN},
        ],
        "examples": [10.234, "10.234"],
    }


def _document(description: str, members: dict[str, Schema], *optional: str, closed: bool = False) -> Schema:
    """Returns the schema of an object. All members except `optional` are required. `closed` forbids other members."""
    required = [name for name in members if name not in optional]
    schema = {"type": "object", "description": description, "properties": members, "required": required}
    return schema | ({"additionalProperties": False} if closed else {})


_WALLET: Final[dict[str, Schema]] = {
    "accountId": ACCOUNT,
    "currency": CURRENCY,
    "balance": _money("Balance after the version given.", 10024.2),
    "version": _VERSION,
    "status": _STATUS,
    "lastUpdated": TIME,
}
_STEP: Final = _document(
    "A step (saga) or event (cqrs) of a transfer.",
    {"step": {"type": "string", "examples": ["debit", "credit", "complete"]}, "at": TIME, "reason": _REASON},
    "reason",
)
_ITEM: Final = _document(
    "A posting.",
    {
        "transactionId": TRANSACTION_ID,
        "kind": {"type": "string", "enum": ["opening", "transfer", "refund", "deposit", "withdrawal"]},
        "amount": _money("Signed: + in, - out.", -10.234),
        "balance": _money("The wallet's balance after the posting.", 10013.966),
        "version": _VERSION,
        "counterparty": _PARTY,
        "at": TIME,
    },
)

TAKES_CURRENCY: Final = ("TransferRequest", "WalletRequest", "CashRequest")

SCHEMAS: Final[dict[str, Schema]] = {
    "TransferRequest": _document(
        "Move money from one wallet to another.",
        {
            "fromAccount": ACCOUNT,
            "toAccount": ACCOUNT | {"examples": ["user2"]},
            "amount": _money_in("Above 0.", zero=False),
            "currency": CURRENCY,
        },
        closed=True,
    ),
    "WalletRequest": _document(
        "Open a wallet.",
        {
            "accountId": ACCOUNT,
            "currency": CURRENCY,
            "balance": _money_in("Opening balance, posted from the external account.", zero=True)
            | {"default": 0, "examples": [100, "100"]},
        },
        "balance",
        closed=True,
    ),
    "CashRequest": _document(
        "A deposit or withdrawal.",
        {"amount": _money_in("Above 0.", zero=False), "currency": CURRENCY},
        closed=True,
    ),
    "StatusRequest": _document(
        "Freeze or unfreeze.",
        {"status": {"type": "string", "enum": ["active", "frozen"]}},
        closed=True,
    ),
    "Success": _document(
        "Both sides are durable.",
        {"status": {"const": "success"}, "transactionId": TRANSACTION_ID},
    ),
    "Pending": _document(
        "The payer's side is durable; the rest is being decided.",
        {"status": {"const": "pending"}, "transactionId": TRANSACTION_ID},
    ),
    "Wallet": _document("A wallet.", _WALLET),
    "OpenedWallet": _document("A new wallet.", {"transactionId": TRANSACTION_ID, **_WALLET}),
    "Transfer": _document(
        "A transfer, deposit, withdrawal or opening, and its timeline.",
        {
            "transactionId": TRANSACTION_ID,
            "status": {"type": "string", "enum": ["pending", "success", "refused"]},
            "fromAccount": _PARTY,
            "toAccount": _PARTY,
            "amount": _money("The requested amount.", 10.234),
            "currency": CURRENCY,
            "timeline": {"type": "array", "items": _STEP},
            "reason": _REASON,
        },
        "reason",
    ),
    "Statement": _document(
        "A page of a wallet's postings, newest first.",
        {
            "items": {"type": "array", "items": _ITEM},
            "nextCursor": {
                "type": ["string", "null"],
                "description": "The `cursor` of the next page; null on the last page.",
            },
        },
    ),
    "Health": _document(
        "State of the service.",
        {
            "status": {"type": "string", "examples": ["ready"]},
            "obstacles": {"type": "array", "items": {"type": "string"}},
        },
        "obstacles",
    ),
    "Problem": _document(
        "RFC 9457 problem details.",
        {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {
                "type": "string",
                "description": "The cause of this problem, for the client's developer.",
            },
            "instance": {"type": "string", "description": "The path of the request."},
            "transactionId": TRANSACTION_ID,
        },
        "transactionId",
    ),
}
