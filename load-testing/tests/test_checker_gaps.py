"""The checker: answers without their values, evidence without a relation, and times that are no numbers are found."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from lab_support.honest_history import Architecture, History, Relations
from lab_support.verdicts import failures, is_found_by
from lab_support.wrong_answers import CQRS, MISSING, SAGA, WRONG

from wallet_lab.checker.evidence import insert, opened, save
from wallet_lab.checker.schema import SYSTEM_ACCOUNTS

SEED = 7


@pytest.mark.parametrize(("architecture", "lie", "rule"), WRONG)
def test_checker_finds(architecture: Architecture, lie: Callable[[Relations], None], rule: str) -> None:
    """The rule finds the lie, also if the lie is a missing value."""
    relations = History(SEED, architecture, calls=200).simulated().evidence()
    lie(relations)
    assert is_found_by(relations, rule)


@pytest.mark.parametrize(("architecture", "missing", "rule"), MISSING)
def test_checker_finds_a_missing_relation(
    architecture: Architecture, missing: Iterable[str], rule: str
) -> None:
    """Evidence without these relations fails, although no row of it is wrong."""
    relations = History(SEED, architecture).simulated().evidence()
    relations.update({name: [] for name in missing})
    assert is_found_by(relations, rule)


@pytest.mark.parametrize("architecture", [SAGA, CQRS])
def test_checker_passes_a_lost_opening_of_an_existing_wallet(architecture: Architecture) -> None:
    """Without a baseline, an opening without an answer does not make an old wallet one of the run."""
    relations = History(SEED, architecture).simulated().evidence() | {"baseline": []}
    opening = next(call for call in relations["calls"] if call["operation"] == "transfer") | {
        "call_id": len(relations["calls"]) + 1,
        "client": "another",
        "operation": "open",
        "account": "w1",
        **dict.fromkeys(("counterparty", "key", "transaction_id", "state", "position", "problem")),
        "currency": "USD",
        "status": 0,
    }
    assert failures(relations | {"calls": [*relations["calls"], opening]}) == {}


def test_kept_evidence_is_exact(tmp_path: Path) -> None:
    """Sums of system accounts beyond 2^64 are the same in evidence that was kept."""
    row = ("books", 0, "@external", "USD", -(2**66) - 1)
    with opened() as database:
        insert(database, SYSTEM_ACCOUNTS, [row])
        save(database, tmp_path)
    with opened(tmp_path) as kept:
        assert kept.execute("FROM system_accounts").fetchall() == [row]
