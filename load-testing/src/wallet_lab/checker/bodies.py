"""Parses the bodies of statements and lookups, with exact decimals. DuckDB would read amounts as binary floats."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from wallet_lab.checker.schema import Column, Relation

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PROBLEM = "/problems/"
_MICROS_END = 2**63

Row = tuple[object, ...]

STATEMENT_PAGES = Relation(
    "statement_pages",
    "One row a statement whose body is a page.",
    (Column("call_id", "BIGINT", ""), Column("next_cursor", "VARCHAR", "", nullable=True)),
)
STATEMENT_ITEMS = Relation(
    "statement_items",
    "The items of these pages.",
    (
        Column("call_id", "BIGINT", ""),
        Column("number", "BIGINT", "place on the page, from 1"),
        Column("transaction_id", "VARCHAR", ""),
        Column("kind", "VARCHAR", ""),
        Column("amount_micros", "BIGINT", ""),
        Column("balance_micros", "BIGINT", ""),
        Column("version", "BIGINT", ""),
        Column("counterparty", "VARCHAR", ""),
        Column("at_us", "BIGINT", ""),
    ),
)
LOOKUPS = Relation(
    "lookups",
    "One row a lookup whose body is a transfer.",
    (
        Column("call_id", "BIGINT", ""),
        Column("transaction_id", "VARCHAR", ""),
        Column("status", "VARCHAR", ""),
        Column("payer", "VARCHAR", ""),
        Column("payee", "VARCHAR", ""),
        Column("amount_micros", "BIGINT", ""),
        Column("currency", "VARCHAR", ""),
        Column("reason", "VARCHAR", "", nullable=True),
    ),
)
LOOKUP_STEPS = Relation(
    "lookup_steps",
    "The timelines of these transfers.",
    (
        Column("call_id", "BIGINT", ""),
        Column("number", "BIGINT", "place in the timeline, from 1"),
        Column("step", "VARCHAR", ""),
        Column("at_us", "BIGINT", ""),
        Column("reason", "VARCHAR", "", nullable=True),
    ),
)


class _Item(Struct, rename="camel"):
    transaction_id: str
    kind: str
    amount: Decimal
    balance: Decimal
    version: int
    counterparty: str
    at: str


class _Page(Struct, rename="camel"):
    items: list[_Item]
    next_cursor: str | None


class _Step(Struct):
    step: str
    at: str
    reason: str | None = None


class _Transfer(Struct, rename="camel"):
    transaction_id: str
    status: str
    from_account: str
    to_account: str
    amount: Decimal
    currency: str
    timeline: list[_Step]
    reason: str | None = None


_pages, _transfers = Decoder(_Page), Decoder(_Transfer)


def statements(bodies: Iterable[tuple[int, str]]) -> tuple[list[Row], list[Row]]:
    """Return the rows of STATEMENT_PAGES and of STATEMENT_ITEMS. A body that is not a page gives no row."""
    pages: list[Row] = []
    items: list[Row] = []
    for call_id, body in bodies:
        try:
            page = _pages.decode(body)
            items += [_item(call_id, number, item) for number, item in enumerate(page.items, start=1)]
        except (DecodeError, ValueError, ArithmeticError):
            continue
        pages.append((call_id, page.next_cursor))
    return pages, items


def lookups(bodies: Iterable[tuple[int, str]]) -> tuple[list[Row], list[Row]]:
    """Return the rows of LOOKUPS and of LOOKUP_STEPS. A body that is not a transfer gives no row."""
    transfers: list[Row] = []
    steps: list[Row] = []
    for call_id, body in bodies:
        try:
            found = _transfers.decode(body)
            transfer = _transfer(call_id, found)
            steps += [_step(call_id, number, step) for number, step in enumerate(found.timeline, start=1)]
        except (DecodeError, ValueError, ArithmeticError):
            continue
        transfers.append(transfer)
    return transfers, steps


def _transfer(call_id: int, found: _Transfer) -> Row:
    return (
        call_id,
        found.transaction_id,
        found.status,
        found.from_account,
        found.to_account,
        micros(found.amount),
        found.currency,
        _problem(found.reason),
    )


def _step(call_id: int, number: int, step: _Step) -> Row:
    return call_id, number, step.step, microseconds(step.at), _problem(step.reason)


def _problem(reason: str | None) -> str | None:
    return reason.removeprefix(_PROBLEM) if reason else None


def _item(call_id: int, number: int, item: _Item) -> Row:
    return (
        call_id,
        number,
        item.transaction_id,
        item.kind,
        micros(item.amount),
        micros(item.balance),
        item.version,
        item.counterparty,
        microseconds(item.at),
    )


def micros(amount: Decimal) -> int:
    """Return an amount in micros. Raises ValueError if it has more than 6 decimal places, or is beyond 64 bits."""
    scaled = amount.scaleb(6)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} has more than 6 decimal places")
    if abs(scaled) >= _MICROS_END:
        raise ValueError(f"{amount} is more than any wallet may hold")
    return int(scaled)


def microseconds(moment: str) -> int:
    """Return microseconds since 1970 of an RFC 3339 time. Raises ValueError if it has no zone or is not a time."""
    parsed = datetime.fromisoformat(moment)
    if parsed.tzinfo is None:
        raise ValueError(f"{moment} has no zone")
    return (parsed - _EPOCH) // timedelta(microseconds=1)
