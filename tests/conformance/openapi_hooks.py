"""Hooks for rules that an OpenAPI document cannot express.

The fuzzer schemathesis loads them (schemathesis.toml). They change requests that match the document and that the
service would refuse or answer late:

- An Idempotency-Key belongs to its first request, so every request gets a new key.
- Payer and payee must differ, so a transfer from a wallet to itself gets another payee.
- `at` must not be in the future, so a future `at` is replaced by a past one.
- A read waits 5 s for a position that the log has not reached, so `min_position` is at most 1.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import schemathesis

if TYPE_CHECKING:
    from schemathesis import Case, HookContext

KEY = "Idempotency-Key"
POSITION_MAX = 1
PAST = "2026-01-31T12:00:00Z"


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Change the values that the schema allows and the service would refuse."""
    if case.query:
        _do_not_wait(case.query)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if KEY in (case.headers or {}):
        case.headers[KEY] = str(uuid4())
    if isinstance(case.body, dict):
        _pay_another_wallet(case.body)
    if case.query:
        _ask_for_the_past(case.query)


def _pay_another_wallet(body: dict[str, Any]) -> None:
    if "fromAccount" in body and body["fromAccount"] == body.get("toAccount"):
        body["toAccount"] = f"{body['fromAccount'][:62]}-2"


def _do_not_wait(query: dict[str, Any]) -> None:
    if str(query.get("min_position")).isdecimal():
        query["min_position"] = min(int(query["min_position"]), POSITION_MAX)


def _ask_for_the_past(query: dict[str, Any]) -> None:
    if "at" in query and datetime.fromisoformat(query["at"]) > datetime.now(UTC):
        query["at"] = PAST
