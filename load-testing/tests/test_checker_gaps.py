"""The checker: answers without their values, evidence without a relation, and times that are no numbers are found."""

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lab_support.honest_history import Architecture, History, Relations, Row, failures

from wallet_lab.checker.evidence import insert, opened, save
from wallet_lab.checker.extraction import NO_TIME_US
from wallet_lab.checker.schema import SYSTEM_ACCOUNTS

SEED = 7
SAGA: Architecture = "saga"
CQRS: Architecture = "cqrs"
WALLET = ("answered_account", "balance_micros", "wallet_status", "wallet_currency", "version", "updated_us")


def _without_state(relations: Relations) -> None:
    _call(relations, operation="transfer", status=201)["state"] = None


def _opening_without_wallet(relations: Relations) -> None:
    _call(relations, operation="open", status=201).update(dict.fromkeys(WALLET))


def _wallet_of_nobody(relations: Relations) -> None:
    unknown = _call(relations, operation="balance", problem="wallet-not-found")
    unknown.update(status=200, problem=None, version=0)


def _frozen_again(relations: Relations) -> None:
    call = _call(relations, operation="freeze", status=200)
    call.update(dict.fromkeys(WALLET) | {"status": 409, "problem": "wallet-frozen"})


def _items_repeated(relations: Relations) -> None:
    _edit_page(relations, lambda items: [items[0], items[0], *items[2:]])


def _items_reversed(relations: Relations) -> None:
    _edit_page(relations, lambda items: items[::-1])


def _page_before_its_position(relations: Relations) -> None:
    _edit_page(relations, lambda items: items[1:])["min_position"] = len(relations["postings"])


def _page_of_nobody(relations: Relations) -> None:
    hidden = dict.fromkeys(("body", "position")) | {"status": 404, "problem": "wallet-not-found"}
    _call(relations, operation="statement", status=200).update(
        hidden, min_position=len(relations["postings"])
    )


def _accepted_but_not_found(relations: Relations) -> None:
    transfer = _call(relations, operation="transfer", status=201)
    transfer.update(status=202, state="pending")
    relations["calls"].append(
        transfer
        | {
            "call_id": len(relations["calls"]) + 1,
            "client": "another",
            "operation": "lookup",
            "account": "",
            **dict.fromkeys(("counterparty", "amount_micros", "currency", "key", "transaction_id", "state")),
            "transaction_id_asked": transfer["transaction_id"],
            "sent_us": transfer["answered_us"] + 1,
            "answered_us": transfer["answered_us"] + 2,
            "status": 404,
            "problem": "transfer-not-found",
        }
    )


def _time_that_is_no_number(relations: Relations) -> None:
    next(row for row in relations["transfers"] if row["state"] == "completed" and row["ended_us"])[
        "ended_us"
    ] = NO_TIME_US


def _payer_is_payee(relations: Relations) -> None:
    transfer = next(row for row in relations["transfers"] if row["kind"] == "transfer")
    transfer["payee"] = transfer["payer"]


def _replay_unmarked(relations: Relations) -> None:
    answered = {
        call["transaction_id"]
        for call in relations["calls"]
        if call["transaction_id"] and not call["replayed"]
    }
    next(call for call in relations["calls"] if call["replayed"] and call["transaction_id"] in answered)[
        "replayed"
    ] = False


def _without_calls(relations: Relations) -> None:
    relations["calls"] = []


@pytest.mark.parametrize(
    ("architecture", "lie", "rule"),
    [
        (SAGA, _without_state, "every answer is one that the contract allows"),
        (SAGA, _opening_without_wallet, "every answer is one that the contract allows"),
        (SAGA, _wallet_of_nobody, "every answered wallet is a version of the books"),
        (CQRS, _wallet_of_nobody, "every answered wallet is a version of the books"),
        (SAGA, _frozen_again, "every answer is one that the contract allows"),
        (SAGA, _items_repeated, "every statement lists the postings of the books"),
        (CQRS, _items_reversed, "every statement lists the postings of the books"),
        (CQRS, _page_before_its_position, "every statement lists the postings of the books"),
        (CQRS, _page_of_nobody, "every statement lists the postings of the books"),
        (SAGA, _accepted_but_not_found, "every looked-up transfer is that of the books"),
        (SAGA, _time_that_is_no_number, "times are those of the run"),
        (SAGA, _payer_is_payee, "every stored transfer is whole"),
        (SAGA, _replay_unmarked, "a key answers with its first request"),
        (CQRS, _replay_unmarked, "a key answers with its first request"),
        (SAGA, _without_calls, "every transfer in the books was sent once"),
    ],
)
def test_checker_finds(architecture: Architecture, lie: Callable[[Relations], None], rule: str) -> None:
    """The rule finds the lie, also if the lie is a missing value."""
    relations = History(SEED, architecture, calls=200).simulated().evidence()
    lie(relations)
    assert rule in failures(relations)


@pytest.mark.parametrize(
    ("architecture", "missing", "rule"),
    [
        (SAGA, ["run"], "all work has ended"),
        (SAGA, ["system_accounts"], "system accounts are the other side of every posting"),
        (CQRS, ["system_accounts"], "system accounts are the other side of every posting"),
        (SAGA, ["holders", "wallets"], "every stored wallet is the fold of its postings"),
        (CQRS, ["holders", "wallets", "listed"], "every stored wallet is the fold of its postings"),
        (CQRS, ["positions", "epochs"], "positions have no gaps and follow the versions"),
    ],
)
def test_checker_finds_a_missing_relation(
    architecture: Architecture, missing: Iterable[str], rule: str
) -> None:
    """Evidence without these relations fails, although no row of it is wrong."""
    relations = History(SEED, architecture).simulated().evidence()
    relations.update({name: [] for name in missing})
    assert rule in failures(relations)


@pytest.mark.parametrize("architecture", [SAGA, CQRS])
def test_checker_passes_a_lost_opening_of_an_existing_wallet(architecture: Architecture) -> None:
    """Without a baseline, an opening without an answer does not make an old wallet one of the run."""
    relations = History(SEED, architecture).simulated().evidence() | {"baseline": []}
    opening = _call(relations, operation="transfer") | {
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


def _call(relations: Relations, **columns: object) -> Row:
    return next(
        call for call in relations["calls"] if all(call[name] == value for name, value in columns.items())
    )


def _edit_page(relations: Relations, edit: Callable[[list[Any]], list[Any]]) -> Row:
    """Edit the items of the last page with at least three; returns its call."""
    for call in reversed(relations["calls"]):
        if call["operation"] == "statement" and call["status"] == 200 and call["cursor"] is None:
            page = json.loads(call["body"], parse_float=Decimal)
            if len(page["items"]) >= 3:
                page["items"] = edit(page["items"])
                call["body"] = json.dumps(page, default=str)
                return call
    raise AssertionError("the history has no such page")
