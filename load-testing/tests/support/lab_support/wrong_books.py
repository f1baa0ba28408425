"""Makes wrong books out of honest ones: for each relation a missing row, a doubled row, and a change of each column."""

import copy
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from lab_support.honest_history import Relations, Row
from wallet_lab.checker.schema import RELATIONS, Column

_OWN = {"run", "calls", "baseline", "decided", "holders", "timeline_steps"}
CHECKED = [relation for relation in RELATIONS if relation.name not in _OWN]
"""The relations of the books and of derived data; the others are the checker's own record."""
TEN_SECONDS_US = 10_000_000


class Change(NamedTuple):
    """One wrong change of a relation. `column` is None for a missing or doubled row."""

    relation: str
    kind: str
    column: str | None

    @property
    def name(self) -> str:
        """The change in words, as the catalogue of reasons names it."""
        return (
            f"{self.relation}.{self.column}: {self.kind}" if self.column else f"{self.relation}: {self.kind}"
        )


def changes() -> Iterator[Change]:
    """Yield every change of every relation of the books."""
    for relation in CHECKED:
        yield Change(relation.name, "row missing", None)
        yield Change(relation.name, "row doubled", None)
        for column in relation.columns:
            for kind in _kinds(column):
                yield Change(relation.name, kind, column.name)


def _kinds(column: Column) -> list[str]:
    if column.name.endswith("_us"):
        return ["earlier", "later", *(["removed"] if column.nullable else [])]
    kinds = {
        "VARCHAR": ["changed"],
        "BIGINT": ["more", "less"],
        "HUGEINT": ["more", "less"],
        "BOOLEAN": ["changed"],
    }
    return [*kinds[column.type], *(["removed"] if column.nullable else [])]


def planted(relations: Relations, change: Change, random: Random) -> tuple[Relations, Row] | None:
    """Return wrong relations and the row that was chosen. None if no row has a value to change."""
    wrong = {name: list(rows) for name, rows in relations.items()}
    rows = wrong[change.relation]
    column = change.column
    able = [n for n, row in enumerate(rows) if column is None or row.get(column) is not None]
    if not able:
        return None
    place = random.choice(able)
    row = rows[place] = copy.copy(rows[place])
    if change.kind == "row missing":
        del rows[place]
    elif change.kind == "row doubled":
        rows.append(row)
    else:
        assert column is not None
        row[column] = _changed(change.kind, row[column], [other.get(column) for other in rows], random)
    return wrong, row


def _changed(kind: str, value: object, others: list[object], random: Random) -> object:
    if kind == "removed":
        return None
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + {"more": 1, "less": -1, "later": TEN_SECONDS_US, "earlier": -TEN_SECONDS_US}[kind]
    different = sorted({str(other) for other in others if other not in {None, value}})
    return random.choice(different) if different else f"not {value}"
