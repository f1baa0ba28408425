"""Parses the bodies of statements and lookups, with exact decimals. DuckDB would read amounts as binary floats."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from wallet_lab.checker.schema import Column, Relation

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PROBLEM = "/problems/"

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


class _Transfer(Struct, rename="camel"):
    transaction_id: str
    status: str
    from_account: str
    to_account: str
    amount: Decimal
    currency: str
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


def lookups(bodies: Iterable[tuple[int, str]]) -> Iterator[Row]:
    """Yield the rows of LOOKUPS. A body that is not a transfer gives no row."""
    for call_id, body in bodies:
        try:
            found = _transfers.decode(body)
            yield (
                call_id,
                found.transaction_id,
                found.status,
                found.from_account,
                found.to_account,
                micros(found.amount),
                found.currency,
                found.reason.removeprefix(_PROBLEM) if found.reason else None,
            )
        except (DecodeError, ValueError, ArithmeticError):
            continue


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
    """Return an amount in micros. Raises ValueError if it has more than 6 decimal places."""
    scaled = amount.scaleb(6)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} has more than 6 decimal places")
    return int(scaled)


def microseconds(moment: str) -> int:
    """Return microseconds since 1970 of an RFC 3339 time. Raises ValueError if it has no zone or is not a time."""
    parsed = datetime.fromisoformat(moment)
    if parsed.tzinfo is None:
        raise ValueError(f"{moment} has no zone")
    return (parsed - _EPOCH) // timedelta(microseconds=1)
