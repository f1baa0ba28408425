"""The checker's verdict on relations that a test has made.

Databases are shared, because most tests change one relation of an honest history. Each test changes them in a
transaction, which is rolled back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import duckdb

from lab_support.honest_history import Architecture, History, Relations, Row
from wallet_lab.checker.check import add_functions, applicable_rules, apply, build_model, rules
from wallet_lab.checker.evidence import insert, opened
from wallet_lab.checker.schema import RELATIONS, Relation
from wallet_lab.report.model import Check

SEED = 7
_likely = list(rules())
"""All rules, those that found the last lies first."""


@contextmanager
def loaded(relations: Relations) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with these relations and the tables of the model."""
    stored = _honest(_architecture(relations))
    database = _shared(_architecture(relations))
    database.begin()
    try:
        for relation in RELATIONS:
            if relations[relation.name] != stored[relation.name]:
                database.execute(f"DELETE FROM {relation.name}")  # noqa: S608 -- a name of the schema
                _insert(database, relation, relations[relation.name])
        build_model(database)
        yield database
    finally:
        database.rollback()


def _architecture(relations: Relations) -> Architecture:
    return "cqrs" if relations["positions"] else "saga"


@cache
def _honest(architecture: Architecture) -> Relations:
    return History(SEED, architecture).simulated().evidence()


@cache
def _shared(architecture: Architecture) -> duckdb.DuckDBPyConnection:
    """Return a database with an honest history. For few rows, one thread and unchanged plans take the least time."""
    database = opened()
    database.execute("SET threads = 1")
    database.execute("PRAGMA disable_optimizer")
    add_functions(database)
    for relation in RELATIONS:
        _insert(database, relation, _honest(architecture)[relation.name])
    return database


def _insert(database: duckdb.DuckDBPyConnection, relation: Relation, rows: list[Row]) -> None:
    names = [column.name for column in relation.columns]
    insert(database, relation, [[row.get(name) for name in names] for row in rows])


def judged(relations: Relations) -> Iterator[Check]:
    """Check these relations; yields one check a rule."""
    with loaded(relations) as database:
        for rule in applicable_rules(database):
            yield apply(database, rule)


def failures(relations: Relations) -> dict[str, list[str]]:
    """Check these relations; returns the sentences of the rules that fail."""
    return {one.name: one.violations for one in judged(relations) if not one.passed}


def is_found_by(relations: Relations, name: str) -> bool:
    """Whether the rule of this name fails."""
    with loaded(relations) as database:
        (rule,) = (rule for rule in applicable_rules(database) if rule.name == name)
        return not apply(database, rule).passed


def is_found(relations: Relations) -> bool:
    """Whether any rule fails. Begins with the rules that found the last lies, because similar lies are neighbours."""
    with loaded(relations) as database:
        for rule in sorted(applicable_rules(database), key=_likely.index):
            if not apply(database, rule).passed:
                _likely.remove(rule)
                _likely.insert(0, rule)
                return True
    return False
