"""Runs every rule on the relations of a run. Each rule is a file of `rules/`, over the tables of `model/`."""

import re
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import NamedTuple
from zlib import crc32

import duckdb

from wallet_lab.checker import bodies
from wallet_lab.checker.evidence import insert
from wallet_lab.report.model import API_ALONE, Check

ACKNOWLEDGED = "every acknowledged transfer is in the books once"
"""The rule that counts lost transfers."""
SHOWN_MAX = 5
"""A check reports this many violations and counts all of them."""

_MODEL = ("answers", "book", "homes", "claims", "moments")
_HEADING = re.compile(r"-- rule: (?P<name>.+)\n-- lie: (?P<lie>.+)\n(?P<books>-- needs: books\n)?")
_THROUGH_API = "SELECT count(*) > 0 AND bool_and(holder = 'api') FROM holders"


class Rule(NamedTuple):
    """One rule: its file and name, the kinds of lies that it finds, and the query that returns its violations."""

    file: str
    name: str
    lie: str
    sql: str
    needs_books: bool
    """Whether it is about storage, which the API does not show."""


@cache
def rules() -> tuple[Rule, ...]:
    """Read all rules, in the order of their files."""
    folder = files("wallet_lab.checker") / "rules"
    found = sorted(folder.iterdir(), key=lambda file: file.name)
    return tuple(_rule(file.name, file.read_text()) for file in found)


def _rule(file: str, text: str) -> Rule:
    heading = _HEADING.match(text)
    assert heading is not None, f"a rule begins with its name and its lie: {text[:80]}"
    return Rule(file, heading["name"], heading["lie"], text, heading["books"] is not None)


def checks(database: duckdb.DuckDBPyConnection) -> Iterator[Check]:
    """Build the model from the relations and apply every rule; yields one check a rule.

    If the evidence was read through the API alone, it leaves out the rules that need the books, and says so first.
    """
    add_functions(database)
    build_model(database)
    applicable = applicable_rules(database)
    if len(applicable) < len(rules()):
        yield check_of(API_ALONE, [])
    for rule in applicable:
        yield apply(database, rule)


def applicable_rules(database: duckdb.DuckDBPyConnection) -> list[Rule]:
    """Return the rules that can be applied: all, or those that need no books if the evidence is the API's alone."""
    (is_through_api,) = database.execute(_THROUGH_API).fetchall()[0]
    return [rule for rule in rules() if not (is_through_api and rule.needs_books)]


def build_model(database: duckdb.DuckDBPyConnection) -> None:
    """Add the tables of `model/` to the relations, after `add_functions`; the rules read both."""
    database.execute(
        "SET preserve_insertion_order = false"
    )  # saves memory; no rule depends on the order of rows
    for name in _MODEL:
        database.execute((files("wallet_lab.checker") / "model" / f"{name}.sql").read_text())
    _parse_bodies(database)


def add_functions(database: duckdb.DuckDBPyConnection) -> None:
    """Let SQL call the documented hashes."""
    database.create_function("slot_of", slot_of, ["VARCHAR"], "BIGINT")
    database.create_function(
        "fingerprint_of", fingerprint_of, ["VARCHAR", "VARCHAR", "BIGINT", "VARCHAR"], "VARCHAR"
    )


def _parse_bodies(database: duckdb.DuckDBPyConnection) -> None:
    pages, items = bodies.statements(_bodies(database, "statement"))
    transfers, steps = bodies.lookups(_bodies(database, "lookup"))
    rows = {
        bodies.STATEMENT_PAGES: pages,
        bodies.STATEMENT_ITEMS: items,
        bodies.LOOKUPS: transfers,
        bodies.LOOKUP_STEPS: steps,
    }
    for relation, found in rows.items():
        database.execute(relation.ddl)
        insert(database, relation, found)


def _bodies(database: duckdb.DuckDBPyConnection, operation: str) -> list[tuple[int, str]]:
    return database.execute(
        "SELECT call_id, body FROM answers WHERE operation = $1 AND outcome = 'success' AND body IS NOT NULL",
        [operation],
    ).fetchall()


def slot_of(account: str) -> int:
    """Return an account's slot (0 to 1023), by docs/decisions/0004-transaction-ids-with-slot.md."""
    return (crc32(account.encode()) * 2654435761 & 0xFFFFFFFF) >> 22


def fingerprint_of(kind: str, payee: str, amount_micros: int, currency: str) -> str:
    """Return the fingerprint of a request as hex, by docs/glossary.md. `payee` is empty unless it is a transfer."""
    meaning = (kind, *([payee] if payee else []), str(amount_micros), currency)
    return blake2b("\x1f".join(meaning).encode(), digest_size=16).hexdigest()


def check_of(name: str, violations: list[str]) -> Check:
    """Return the result of a rule that is not a query; it passes if there are no violations."""
    return Check(name=name, passed=not violations, found=len(violations), violations=violations[:SHOWN_MAX])


def apply(database: duckdb.DuckDBPyConnection, rule: Rule) -> Check:
    """Apply one rule, after `build_model`."""
    found = database.execute(
        f"SELECT sentence, account, transaction_id, call_id, count(*) OVER () FROM ({rule.sql}\n) LIMIT {SHOWN_MAX}"  # noqa: S608 -- a file of this package
    ).fetchall()
    return Check(
        name=rule.name,
        passed=not found,
        found=found[0][4] if found else 0,
        violations=[sentence for sentence, *_ in found],
        around=_around(database, *found[0][1:4]) if found else [],
    )


def _around(
    database: duckdb.DuckDBPyConnection, account: str | None, transaction: str | None, call: int | None
) -> list[str]:
    sql = (files("wallet_lab.checker") / "model" / "around.sql").read_text()
    given = {"account": account, "transaction": transaction, "call": call}
    return [words for (words,) in database.execute(sql, given).fetchall()]
