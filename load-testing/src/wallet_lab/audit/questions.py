"""Checks in SQL: each asks a database for sentences about what is wrong, and is passed when there are none."""

import re
from collections.abc import Iterable
from importlib.resources import files
from typing import NamedTuple

import asyncpg

from wallet_lab.report.model import Check

SHOWN_MAX = 5
"""So many violations of a check are told; all are counted."""

_COUNTED = "SELECT sentence, count(*) OVER () FROM ({violations}\n) AS wrong(sentence) LIMIT $1"
"""The first violations, and how many there are. What is put in stands in a file of this package."""

_HEADING = re.compile(r"^-- check: (.+)\n", re.MULTILINE)


class Question(NamedTuple):
    """One check: its name, and the query whose rows are its violations."""

    name: str
    sql: str


def read_questions(file: str) -> list[Question]:
    """The checks in a file beside this module, each under its heading `-- check: name`."""
    _, *parts = _HEADING.split((files("wallet_lab.audit") / file).read_text())
    return [Question(name, sql.strip()) for name, sql in zip(parts[::2], parts[1::2], strict=True)]


async def ask(database: asyncpg.Connection, questions: Iterable[Question], where: str = "") -> list[Check]:
    """Every check against one database; `where` precedes each sentence."""
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
    """A check that was made in Python: passed when it found nothing."""
    return Check(name=name, passed=not violations, found=len(violations), violations=violations[:SHOWN_MAX])


def merged(checks: Iterable[Check]) -> list[Check]:
    """Checks of the same name on several databases as one."""
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
    """What the checks that failed found, a sentence each."""
    return [f"{one.name}: {sentence}" for one in checks for sentence in one.violations]
