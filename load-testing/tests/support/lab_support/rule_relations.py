"""The relations that a rule reads, itself or through the tables of the model."""

import re
from functools import cache
from importlib.resources import files

from wallet_lab.checker import bodies
from wallet_lab.checker.check import Rule
from wallet_lab.checker.schema import RELATIONS

_RELATIONS = {relation.name for relation in RELATIONS}
_FROM_ANSWERS = (bodies.STATEMENT_PAGES, bodies.STATEMENT_ITEMS, bodies.LOOKUPS, bodies.LOOKUP_STEPS)


@cache
def relations_of(rule: Rule) -> frozenset[str]:
    """Return the names of the relations whose rows can change what the rule finds."""
    found: set[str] = set()
    words = _words(rule.sql)
    while new := words - found:
        found |= new
        words = set().union(*(_sources().get(word, set()) for word in new))
    return frozenset(found & _RELATIONS)


@cache
def _sources() -> dict[str, set[str]]:
    """Return the words of the file that makes each table of the model."""
    texts = [file.read_text() for file in (files("wallet_lab.checker") / "model").iterdir()]
    made = {name: _words(text) for text in texts for name in re.findall(r"CREATE \w+ (\w+)", text)}
    return made | {relation.name: {"answers"} for relation in _FROM_ANSWERS}


def _words(sql: str) -> set[str]:
    return set(re.findall(r"\w+", sql))
