"""Compares two sides that must have the same rows; each side is spread over its own databases."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg

from wallet_lab.audit.questions import check
from wallet_lab.report.model import Check

_DIGEST = "SELECT count(*), coalesce(sum(hash_record_extended(r, 0)), 0) FROM ({rows}\n) AS r"
"""The number of rows, and a sum of their hashes that does not depend on their order. The queries are constants."""


class Side(NamedTuple):
    """A query and the databases that it reads; the first column identifies a row."""

    name: str
    sql: str
    databases: Sequence[asyncpg.Connection]


async def compare(name: str, left: Side, right: Side) -> Check:
    """Check that both sides have the same rows: compare digests first, and rows only if the digests differ."""
    # One connection may serve both sides, so the digests run one after the other.
    if await _digest(left) == await _digest(right):
        return check(name, [])
    rows, others = await _rows(left), await _rows(right)
    differing = sorted(key for key in rows.keys() | others.keys() if rows.get(key) != others.get(key))
    return check(
        name,
        [
            f"{key}: {left.name} {_describe(rows.get(key))}, {right.name} {_describe(others.get(key))}"
            for key in differing
        ],
    )


async def _digest(side: Side) -> tuple[int, int]:
    """Return the number of rows and the sum of their hashes; neither depends on the order or the database."""
    sql = _DIGEST.format(rows=side.sql)
    found = await asyncio.gather(*(database.fetchrow(sql) for database in side.databases))
    return sum(rows for rows, _ in found), int(sum(digest for _, digest in found))


async def _rows(side: Side) -> dict[Any, tuple[Any, ...]]:
    found = await asyncio.gather(*(database.fetch(side.sql) for database in side.databases))
    return {row[0]: tuple(row[1:]) for rows in found for row in rows}


def _describe(row: tuple[Any, ...] | None) -> str:
    return "nothing" if row is None else ", ".join(map(str, row))
