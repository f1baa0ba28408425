"""Lies in one row of the evidence, each for a condition that no generated change of wrong_books.py meets."""

from lab_support.honest_history import Architecture, Relations, Row
from lab_support.wrong_answers import CQRS, SAGA

_ANSWER = "calls"
_TRANSFER = {"kind": "transfer", "state": "completed"}
EDITS: list[tuple[Architecture, str, Row, Row]] = [
    (SAGA, _ANSWER, {"operation": "transfer", "status": 201}, {"transaction_id": None}),
    (
        SAGA,
        _ANSWER,
        {"operation": "deposit", "status": 201},
        {"status": 404, "problem": "transfer-not-found"},
    ),
    (SAGA, _ANSWER, {"operation": "deposit", "status": 201}, {"status": 409, "problem": "wallet-exists"}),
    (SAGA, _ANSWER, {"operation": "deposit", "status": 201}, {"status": 409, "problem": "wallet-not-empty"}),
    (
        SAGA,
        _ANSWER,
        {"operation": "deposit", "status": 201},
        {"status": 409, "problem": "insufficient-funds"},
    ),
    (SAGA, _ANSWER, {"operation": "withdraw", "status": 201}, {"status": 409, "problem": "balance-limit"}),
    (SAGA, _ANSWER, {"operation": "balance", "status": 200}, {"status": 409, "problem": "wallet-frozen"}),
    (SAGA, _ANSWER, {"key": None, "status": 201}, {"status": 422, "problem": "idempotency-key-reused"}),
    (SAGA, _ANSWER, {"operation": "withdraw", "status": 201}, {"account": "nobody-at-all"}),
    (
        SAGA,
        _ANSWER,
        {"operation": "balance", "status": 200, "account": "w3"},
        {"status": 404, "problem": "wallet-not-found", "version": None},
    ),
    (CQRS, _ANSWER, {"operation": "transfer", "status": 201}, {"position": None}),
    (CQRS, _ANSWER, {"operation": "balance", "status": 200}, {"position": None}),
    (
        CQRS,
        _ANSWER,
        {"operation": "balance", "status": 200, "account": "w1"},
        {"status": 404, "problem": "wallet-not-found", "version": None, "min_position": 100},
    ),
    (SAGA, "transfers", _TRANSFER, {"state": "refused", "reason": "wallet-frozen"}),
    (SAGA, "transfers", _TRANSFER, {"payee": "@external"}),
    (SAGA, "transfers", _TRANSFER, {"amount_micros": -1}),
    (SAGA, "transfers", _TRANSFER, {"amount_micros": 0}),
    (SAGA, "postings", {"kind": "deposit"}, {"amount_micros": -1}),
    (SAGA, "postings", {"kind": "deposit"}, {"amount_micros": 0}),
    (SAGA, "postings", {"kind": "withdrawal"}, {"amount_micros": 1}),
    (SAGA, "postings", {"kind": "deposit"}, {"amount_micros": 2**63 - 1}),
    (SAGA, "postings", {"kind": "deposit"}, {"at_us": -1}),
    (CQRS, "postings", {"kind": "deposit"}, {"currency": "GBP"}),
    (CQRS, "epochs", {"number": 1}, {"after_position": 10**6}),
    (SAGA, "wallets", {"holder": "cache"}, {"holder": "somewhere else"}),
    (CQRS, "wallets", {"holder": "cache"}, {"position": 10**6}),
    (CQRS, "positions", {"name": "shard 0"}, {"stopped": "a poison event"}),
]
"""Changes of one row: the relation, what the row has, and what it gets."""


def edited(relations: Relations, name: str, having: Row, values: Row) -> Relations:
    """Change the first row of a relation that has these values."""
    able = (row for row in relations[name] if having.items() <= row.items())
    next(able).update(values)
    return relations
