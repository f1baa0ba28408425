"""No rule of the checker is dead: each of its parts finds a lie of the catalogue."""

from collections.abc import Iterator
from random import Random

import duckdb
import pytest
from lab_support.honest_history import Architecture, History, Relations
from lab_support.lies import LIES
from lab_support.row_edits import EDITS, edited
from lab_support.rule_parts import parts
from lab_support.rule_relations import relations_of
from lab_support.scenes import WRONG_SCENES, after_an_honest_run
from lab_support.verdicts import loaded
from lab_support.wrong_answers import CQRS, MISSING, OTHERS, SAGA, WRONG
from lab_support.wrong_books import changes, planted
from lab_support.wrong_builds import WRONG_BUILDS

from wallet_lab.checker.check import Rule, rules
from wallet_lab.checker.schema import RELATIONS
from wallet_lab.testing.parts import is_in_part

SEED = 7
EVERY = {relation.name for relation in RELATIONS}
ARCHITECTURES: tuple[Architecture, ...] = (SAGA, CQRS)


def test_every_rule_is_demanded_by_its_name() -> None:
    """For each rule, the catalogue has a lie or a build whose test demands this rule by its name."""
    demanded = {rule for _, _, rule in (*WRONG, *MISSING)} | {rule for _, rule in WRONG_SCENES}
    assert [rule.name for rule in rules() if rule.name not in demanded] == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_part_of_every_rule_finds_a_lie() -> None:
    """A rule that returned nothing, or lost a branch or a condition, would leave a lie of the catalogue unfound."""
    idle = {rule: dict(enumerate(parts(rule))) for rule in rules() if is_in_part(rule.file)}
    for relations, name in _demanding():  # most parts find a lie here, where one rule is tried for each
        if asked := {rule: left for rule, left in idle.items() if rule.name == name}:
            idle = {rule: left for rule, left in (idle | _still_idle(relations, asked)).items() if left}
    for relations, changed in _catalogue():
        if not idle:
            return
        if asked := {rule: left for rule, left in idle.items() if relations_of(rule) & changed}:
            idle = {rule: left for rule, left in (idle | _still_idle(relations, asked)).items() if left}
    assert {rule.file: left for rule, left in idle.items()} == {}


def _still_idle(relations: Relations, idle: dict[Rule, dict[int, str]]) -> dict[Rule, dict[int, str]]:
    """Return the parts of each rule that find nothing in these relations."""
    with loaded(relations) as database:
        return {rule: _idle(database, rule, left) for rule, left in idle.items()}


def _idle(database: duckdb.DuckDBPyConnection, rule: Rule, left: dict[int, str]) -> dict[int, str]:
    """Return the parts that find nothing. If the whole rule finds nothing, none of its parts can."""
    if not _finds(database, rule.sql):
        return left
    return {number: sql for number, sql in left.items() if not _finds(database, sql)}


def _finds(database: duckdb.DuckDBPyConnection, sql: str) -> bool:
    return database.execute(sql).fetchone() is not None


def _demanding() -> Iterator[tuple[Relations, str]]:
    """Yield the evidence of the lies whose test demands one rule by its name, with this name."""
    for architecture, wrong, rule in WRONG:
        relations = History(SEED, architecture, calls=200).simulated().evidence()
        wrong(relations)
        yield relations, rule
    for architecture, missing, rule in MISSING:
        relations = History(SEED, architecture).simulated().evidence()
        yield relations | {name: [] for name in missing}, rule
    for scene, rule in WRONG_SCENES:
        history = after_an_honest_run()
        scene(history, False)
        yield history.evidence(), rule


def _catalogue() -> Iterator[tuple[Relations, set[str]]]:
    """Yield the evidence of every lie, wrong build, wrong answer and change. Those that find most come first.

    With each, yields the relations that differ from those of an honest run.
    """
    for architecture, wrong in OTHERS:
        relations = History(SEED, architecture, calls=200).simulated().evidence()
        wrong(relations)
        yield relations, EVERY
    for architecture, name, having, values in EDITS:
        relations = History(SEED, architecture, calls=200).simulated().evidence()
        yield edited(relations, name, having, values), {name}
    for relations, _ in _demanding():
        yield relations, EVERY
    for relations in _lies():
        yield relations, EVERY
    yield from _changes()


def _lies() -> Iterator[Relations]:
    for architecture in ARCHITECTURES:
        for lie in LIES:
            history = History(SEED, architecture).simulated()
            history.now_us += 10_000_000
            lie(history)
            yield history.evidence()
        for build in WRONG_BUILDS:
            yield build(SEED, architecture, calls=150).simulated().evidence()


def _changes() -> Iterator[tuple[Relations, set[str]]]:
    honest = {
        architecture: History(SEED, architecture).simulated().evidence() for architecture in ARCHITECTURES
    }
    for change in changes():
        for relations in honest.values():
            if found := planted(relations, change, Random(SEED)):
                yield found[0], {change.relation}
