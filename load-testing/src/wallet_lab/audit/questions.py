"""Checks in SQL: each query returns sentences about violations, and the check passes if there are none."""

import re
from collections.abc import Iterable
from importlib.resources import files
from typing import NamedTuple

import asyncpg

from wallet_lab.report.model import Check

SHOWN_MAX = 5
"""A check reports this many violations and counts all of them."""

_COUNTED = "SELECT sentence, count(*) OVER () FROM ({violations}\n) AS wrong(sentence) LIMIT $1"
"""Returns the first violations and their number. The inserted query comes from a file of this package."""

_HEADING = re.compile(r"^-- check: (.+)\n", re.MULTILINE)


class Question(NamedTuple):
    """One check: its name, and the query that returns its violations."""

    name: str
    sql: str


def read_questions(file: str) -> list[Question]:
    """Read the checks of a file in this package; each has a heading `-- check: name`."""
    _, *parts = _HEADING.split((files("wallet_lab.audit") / file).read_text())
    return [Question(name, sql.strip()) for name, sql in zip(parts[::2], parts[1::2], strict=True)]


async def ask(database: asyncpg.Connection, questions: Iterable[Question], where: str = "") -> list[Check]:
    """Run every check on one database; `where` precedes each sentence."""
    return [await _ask(database, question, where) for question in questions]


async def _ask(database: asyncpg.Connection, question: Question, where: str) -> Check:
    rows = await database.fetch(_COUNTED.format(violations=question.sql), SHOWN_MAX)
    return Check(
        name=question.name,
        passed=not rows,
        found=rows[0][1] if rows else 0,
        violations=[where + sentence for sentence, _ in rows],
    )


def check(name: str, violations: list[str]) -> Check:
    """Make the result of a check in Python; it passes if there are no violations."""
    return Check(name=name, passed=not violations, found=len(violations), violations=violations[:SHOWN_MAX])


def merged(checks: Iterable[Check]) -> list[Check]:
    """Merge the results of the same check on several databases."""
    by_name: dict[str, list[Check]] = {}
    for one in checks:
        by_name.setdefault(one.name, []).append(one)
    return [
        Check(
            name=name,
            passed=all(one.passed for one in same),
            found=sum(one.found for one in same),
            violations=[sentence for one in same for sentence in one.violations][:SHOWN_MAX],
        )
        for name, same in by_name.items()
    ]


def violations(checks: Iterable[Check]) -> list[str]:
    """Return one sentence per violation that the failed checks found."""
    return [f"{one.name}: {sentence}" for one in checks for sentence in one.violations]
