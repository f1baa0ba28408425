"""The checker: honest histories pass, and every lie is found. docs/guarantees.md lists the kinds of lies."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab_support.honest_history import Architecture, History, Row
from lab_support.lies import LIES, Lie
from lab_support.verdicts import failures, is_found, judged
from lab_support.wrong_books import Change, changes, planted
from lab_support.wrong_builds import WRONG_BUILDS, LostRefund

from wallet_lab.checker.check import ACKNOWLEDGED, rules
from wallet_lab.stack.files.home import checkout

ARCHITECTURES: tuple[Architecture, ...] = ("saga", "cqrs")
SEED = 7
SLOWLY = settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

CANNOT_MATTER: dict[str, tuple[str, Callable[[Row], bool]]] = {
    "wallets: row missing": (
        "a cache and snapshots need not hold a wallet",
        lambda row: row["holder"] in {"cache", "snapshots"},
    ),
    "wallets.position: more": (
        "a later position is also true of a cache entry if the wallet has not changed until then",
        lambda row: row["holder"] == "cache",
    ),
    "transfers.last_position: less": (
        "the position of a refusal is only in the books; it may be any at which the wallets were the same",
        lambda row: row["state"] == "refused",
    ),
    "transfers.last_position: more": (
        "the position of a refusal is only in the books; it may be any at which the wallets were the same",
        lambda row: row["state"] == "refused",
    ),
    "wallets.position: less": (
        "a cache entry that names an earlier position is only read from the database sooner",
        lambda row: row["holder"] == "cache",
    ),
    "wallets.epoch: changed": (
        "readers ignore an entry of another epoch, and it expires",
        lambda row: row["holder"] == "cache",
    ),
    "wallets.expires_us: earlier": (
        "an entry that expires sooner is only read from the database sooner",
        lambda _: True,
    ),
    "positions.position: less": (
        "the relay only publishes the events after its checkpoint again, and projections skip what they have",
        lambda row: row["name"] == "relay",
    ),
    "positions.epoch: changed": ("the relay stores no epoch", lambda row: row["name"] == "relay"),
    "positions.must_be_at_head: changed": ("the adapter writes this flag, not a database", lambda _: True),
    "system_accounts.shard: more": ("a row of 0 equals no row", lambda row: row["balance_micros"] == 0),
    "system_accounts.shard: less": ("a row of 0 equals no row", lambda row: row["balance_micros"] == 0),
    "system_accounts: row missing": ("a row of 0 equals no row", lambda row: row["balance_micros"] == 0),
    "system_accounts.name: changed": ("a row of 0 equals no row", lambda row: row["balance_micros"] == 0),
    "system_accounts.holder: changed": ("a row of 0 equals no row", lambda row: row["balance_micros"] == 0),
    "system_accounts.currency: changed": ("a row of 0 equals no row", lambda row: row["balance_micros"] == 0),
    "transfers.ended_us: earlier": (
        "no rule depends on the moment at which a finished saga is marked as completed",
        lambda row: row["state"] == "completed",
    ),
    "epochs.reason: changed": ("the reason is a text for people", lambda _: True),
    "epochs.at_us: earlier": (
        "no decision depends on the time of an epoch, only on its number",
        lambda _: True,
    ),
    "durability: row doubled": ("the same setting twice says the same", lambda _: True),
    "durability.scope: changed": ("the scope is a text for people", lambda _: True),
}
"""Changes that the checker need not find: the reason, and which rows it is true of."""


@SLOWLY
@given(seed=st.integers(0, 10**6), architecture=st.sampled_from(ARCHITECTURES))
def test_checker_passes_an_honest_history(seed: int, architecture: Architecture) -> None:
    """An honest history passes every rule, with every kind of unknown, replay and refusal in it."""
    assert failures(History(seed, architecture).simulated().evidence()) == {}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_checker_finds_a_lie_in_the_books(lie: Lie, architecture: Architecture) -> None:
    """A lie in the books is found, although all sums and copies agree with it."""
    history = History(SEED, architecture).simulated()
    history.now_us += 10_000_000
    lie(history)
    assert is_found(history.evidence())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("build", WRONG_BUILDS, ids=lambda build: build.__name__)
def test_checker_finds_a_wrong_build(build: type[History], architecture: Architecture) -> None:
    """A build with a defect that only clients can notice is found."""
    if build is LostRefund and architecture == "cqrs":
        return  # it has no refunds
    assert is_found(build(SEED, architecture, calls=150).simulated().evidence())


@SLOWLY
@given(
    seed=st.integers(0, 10**6),
    architecture=st.sampled_from(ARCHITECTURES),
    change=st.sampled_from(list(changes())),
)
def test_checker_finds_a_random_lie_in_a_random_history(
    seed: int, architecture: Architecture, change: Change
) -> None:
    """A random change of the books of a random history is found, or the catalogue says why it cannot matter."""
    _assert_found(seed, architecture, change)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("change", list(changes()), ids=lambda change: change.name)
def test_checker_finds_every_change_of_every_column(change: Change, architecture: Architecture) -> None:
    """A missing row, a doubled row and a change of any column of any relation are found, or cannot matter."""
    _assert_found(SEED, architecture, change)


def test_violation_comes_with_the_operations_around_it() -> None:
    """A violation names the wallet and the call, and the check lists calls and postings around it."""
    relations = History(SEED, "saga").simulated().evidence()
    call = next(row for row in relations["calls"] if row["operation"] == "transfer" and row["status"] == 201)
    relations["transfers"] = [
        row for row in relations["transfers"] if row["transaction_id"] != call["transaction_id"]
    ]
    found = next(one for one in judged(relations) if one.name == ACKNOWLEDGED)
    assert found.violations[0].startswith(f"call {call['call_id']} (transfer of")
    assert f"from {call['account']} to {call['counterparty']}" in found.violations[0]
    assert any(f"call {call['call_id']} (" in words for words in found.around)
    assert any(call["transaction_id"] in words and "version" in words for words in found.around)


def test_guarantees_list_every_rule() -> None:
    """docs/guarantees.md has the table of all rules, with the kind of lie that each one finds."""
    page = (checkout() / "docs" / "guarantees.md").read_text()
    assert [
        rule.name for rule in rules() if f"| {rule.lie} | {rule.name} | `{rule.file}` |" not in page
    ] == []


def _assert_found(seed: int, architecture: Architecture, change: Change) -> None:
    relations = History(seed, architecture).simulated().evidence()
    found = planted(relations, change, Random(seed))
    if found is None:
        return  # the architecture does not have this column
    wrong, row = found
    reason, applies = CANNOT_MATTER.get(change.name, ("", lambda _: False))
    assert is_found(wrong) or (reason and applies(row)), f"{change.name} of {row} was not found"
