"""Wrong answers and missing values: each changes the evidence of an honest run, and one rule must find it."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from lab_support.honest_history import BEGAN_US, Architecture, Relations, Row
from wallet_lab.checker.extraction import NO_TIME_US

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


def _page_before_the_position_that_it_names(relations: Relations) -> None:
    _edit_page(relations, lambda items: items[1:])["position"] = len(relations["postings"])


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


def _replayed_read(relations: Relations) -> None:
    _call(relations, operation="balance", status=200)["replayed"] = True


def _replayed_without_key(relations: Relations) -> None:
    _call(relations, operation="transfer", status=201, key=None)["replayed"] = True


def _valid_call_called_invalid(relations: Relations) -> None:
    _call(relations, operation="balance", status=200).update(
        dict.fromkeys(WALLET) | {"status": 422, "problem": "invalid-request"}
    )


def _payment_called_invalid(relations: Relations) -> None:
    refused = _call(relations, operation="transfer", status=503, problem="overloaded")
    refused.update(status=422, problem="invalid-request")


def _key_suddenly_unknown(relations: Relations) -> None:
    _call(relations, operation="lookup", status=200).update(status=401, problem="unauthorized", body=None)


def _late_at_once(relations: Relations) -> None:
    _call(relations, operation="balance", status=200).update(
        dict.fromkeys(WALLET) | {"status": 408, "problem": "request-timeout"}
    )


def _step_hidden(relations: Relations) -> None:
    _edit_timeline(relations, lambda steps: steps[1:])


def _step_invented(relations: Relations) -> None:
    _edit_timeline(relations, lambda steps: [*steps, steps[-1]])


def _step_renamed(relations: Relations) -> None:
    _edit_timeline(relations, lambda steps: [steps[0] | {"step": "something"}, *steps[1:]])


def _step_at_another_time(relations: Relations) -> None:
    _edit_timeline(relations, lambda steps: [steps[0] | {"at": "2023-11-14T22:13:20.000001Z"}, *steps[1:]])


def _step_for_another_reason(relations: Relations) -> None:
    _edit_timeline(relations, lambda steps: [steps[0] | {"reason": "/problems/wallet-frozen"}, *steps[1:]])


def _read_before_its_version(relations: Relations) -> None:
    read = _call(relations, operation="balance", status=200)
    (shown,) = (
        row["position"]
        for row in relations["postings"]
        if (row["account"], row["version"]) == (read["account"], read["version"])
    )
    read.update(position=shown - 1, min_position=None)


def _position_of_the_future(relations: Relations) -> None:
    read = _call(relations, operation="balance", status=200)
    paid = max(
        (call for call in relations["calls"] if call["status"] == 201), key=lambda call: call["sent_us"]
    )
    read["position"] = paid["position"]


def _hidden_from_the_first_call(relations: Relations) -> None:
    read = _call(relations, operation="balance", status=200, account="w1", min_position=None)
    read.update(dict.fromkeys((*WALLET, "position")) | {"status": 404, "problem": "wallet-not-found"})


def _other_order_in_the_log(relations: Relations) -> None:
    """Exchange the positions of the first and the last withdrawal of the run. Both move one wallet."""
    began_us = relations["run"][0]["began_us"]
    made = [row for row in relations["postings"] if row["kind"] == "withdrawal" and row["at_us"] > began_us]
    made[0]["position"], made[-1]["position"] = made[-1]["position"], made[0]["position"]


def _another_fingerprint(relations: Relations) -> None:
    next(row for row in relations["transfers"] if row["key"])["fingerprint"] = "0" * 32


def _wallet_that_is_lost(relations: Relations) -> None:
    opening = _call(relations, operation="open", status=201)
    opening["amount_micros"], lost = 10**12, opening["account"]
    for name in ("postings", "wallets", "listed"):
        relations[name] = [row for row in relations[name] if row["account"] != lost]


def _reused_key_that_is_new(relations: Relations) -> None:
    known = {row["key"] for row in relations["transfers"]}
    rejected = next(
        call
        for call in relations["calls"]
        if call["problem"] == "overloaded" and call["key"] and call["key"] not in known
    )
    rejected.update(status=422, problem="idempotency-key-reused")


def _first_call_called_a_replay(relations: Relations) -> None:
    keys = [call["key"] for call in relations["calls"] if call["key"]]
    next(
        call
        for call in relations["calls"]
        if call["status"] == 201 and call["key"] and keys.count(call["key"]) == 1
    )["replayed"] = True


def _versions_in_another_order(relations: Relations) -> None:
    second, third = (
        next(row for row in relations["postings"] if (row["account"], row["version"]) == ("w1", version))
        for version in (2, 3)
    )
    second["position"], third["position"] = third["position"], second["position"]


def _lookup_of_nothing(relations: Relations) -> None:
    _call(relations, operation="lookup", status=200)["body"] = "{}"


def _statement_of_nothing(relations: Relations) -> None:
    _call(relations, operation="statement", status=200)["body"] = "[]"


def _statement_hidden(relations: Relations) -> None:
    hidden = {"body": None, "status": 404, "problem": "wallet-not-found"}
    _call(relations, operation="statement", status=200, account="w3").update(hidden)


def _freeze_before_its_event(relations: Relations) -> None:
    _call(relations, operation="freeze", status=200)["position"] = 1


def _position_beyond_the_log(relations: Relations) -> None:
    _call(relations, operation="balance", status=200)["position"] = 10**6


def _payee_asked_first(relations: Relations) -> None:
    _refused_by_payee(relations)["amount_micros"] = 10**15


def _work_that_did_not_end(relations: Relations) -> None:
    relations["run"][0]["settled_us"] = None


def _transfer_that_did_not_end(relations: Relations) -> None:
    next(row for row in relations["transfers"] if row["kind"] == "transfer").update(state="pending")


def _entry_of_another_log(relations: Relations) -> None:
    next(row for row in relations["wallets"] if row["epoch"]).update(epoch="another", expires_us=None)


def _follower_of_nothing(relations: Relations) -> None:
    relations["positions"].append(relations["positions"][-1] | {"name": "shard 7"})


def _broker_not_asked(relations: Relations) -> None:
    relations["durability"] = [row for row in relations["durability"] if row["kind"] != "broker"]


def _amount_of_an_acknowledged_transfer(relations: Relations) -> None:
    paid = _call(relations, operation="transfer", status=201)["transaction_id"]
    _row(relations, "transfers", transaction_id=paid)["amount_micros"] += 1


def _balance_after_a_posting(relations: Relations) -> None:
    relations["postings"][-1]["balance_micros"] += 1


def _balance_before_the_run(relations: Relations) -> None:
    relations["baseline"][0]["balance_micros"] += 1


def _refusal_before_the_run(relations: Relations) -> None:
    refused = _row(relations, "transfers", state="refused", kind="deposit", reason="wallet-not-found")
    long_ago = {"started_us": BEGAN_US - 1_000_000, "ended_us": BEGAN_US - 1_000_000}
    forged = {"transaction_id": "eeeeeeee-0000-8000-8000-000000000000", "key": None, "fingerprint": None}
    relations["transfers"].append(refused | long_ago | forged)


def _balance_of_a_system_account(relations: Relations) -> None:
    relations["system_accounts"][0]["balance_micros"] += 1


def _credit_missing(relations: Relations) -> None:
    relations["credits"].pop()


def _credit_of_a_local_transfer(relations: Relations) -> None:
    barred = {credit["transaction_id"] for credit in relations["credits"]}
    local = next(
        transfer
        for transfer in relations["transfers"]
        if (transfer["kind"], transfer["state"]) == ("transfer", "completed")
        and transfer["transaction_id"] not in barred
    )
    relations["credits"].append(
        {
            "shard": local["shard"],
            "transaction_id": local["transaction_id"],
            "reason": None,
            "at_us": local["ended_us"],
        }
    )


def _listed_posting_missing(relations: Relations) -> None:
    relations["listed"].pop()


def _past_balance_of_another_version(relations: Relations) -> None:
    _call(relations, operation="balance_at", status=200)["version"] += 1


def _another_counterparty(relations: Relations) -> None:
    _row(relations, "postings", kind="transfer")["counterparty"] = "nobody"


def _another_reason(relations: Relations) -> None:
    _row(relations, "transfers", kind="deposit", state="refused")["reason"] = "balance-limit"


def _frozen_without_a_call(relations: Relations) -> None:
    relations["calls"] = [call for call in relations["calls"] if call["operation"] != "freeze"]


def _paid_while_frozen(relations: Relations) -> None:
    _row(relations, "postings", kind="unfrozen")["kind"] = "frozen"


def _currency_removed(relations: Relations) -> None:
    relations["wallets"][0]["currency"] = None


def _slot_of_another_shard(relations: Relations) -> None:
    relations["topology"][0]["owner"] = 1


def _version_left_out(relations: Relations) -> None:
    relations["postings"][-1]["version"] += 1


def _without_calls(relations: Relations) -> None:
    relations["calls"] = []


def _call(relations: Relations, **columns: object) -> Row:
    return next(
        call for call in relations["calls"] if all(call[name] == value for name, value in columns.items())
    )


def _row(relations: Relations, relation: str, /, **columns: object) -> Row:
    return next(
        row for row in relations[relation] if all(row[column] == value for column, value in columns.items())
    )


def _edit_timeline(relations: Relations, edit: Callable[[list[Any]], list[Any]]) -> None:
    """Edit the timeline of the first lookup."""
    call = _call(relations, operation="lookup", status=200)
    transfer = json.loads(call["body"], parse_float=Decimal)
    transfer["timeline"] = edit(transfer["timeline"])
    call["body"] = json.dumps(transfer, default=str)


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


WRONG: list[tuple[Architecture, Callable[[Relations], None], str]] = [
    (SAGA, _without_state, "every answer is one that the contract allows"),
    (SAGA, _opening_without_wallet, "every answer is one that the contract allows"),
    (SAGA, _wallet_of_nobody, "every answered wallet is a version of the books"),
    (CQRS, _wallet_of_nobody, "every answered wallet is a version of the books"),
    (SAGA, _frozen_again, "every answer is one that the contract allows"),
    (SAGA, _items_repeated, "every statement lists the postings of the books"),
    (CQRS, _items_reversed, "every statement lists the postings of the books"),
    (CQRS, _page_before_its_position, "every statement lists the postings of the books"),
    (CQRS, _page_before_the_position_that_it_names, "every statement lists the postings of the books"),
    (CQRS, _page_of_nobody, "every statement lists the postings of the books"),
    (SAGA, _accepted_but_not_found, "every looked-up transfer is that of the books"),
    (SAGA, _time_that_is_no_number, "times are those of the run"),
    (SAGA, _payer_is_payee, "every stored transfer is whole"),
    (SAGA, _replay_unmarked, "a key answers with its first request"),
    (CQRS, _replay_unmarked, "a key answers with its first request"),
    (SAGA, _replayed_read, "a key answers with its first request"),
    (CQRS, _replayed_without_key, "a key answers with its first request"),
    (SAGA, _valid_call_called_invalid, "no valid call is answered as invalid"),
    (CQRS, _payment_called_invalid, "no valid call is answered as invalid"),
    (SAGA, _key_suddenly_unknown, "no valid call is answered as invalid"),
    (CQRS, _late_at_once, "no valid call is answered as invalid"),
    *(
        (architecture, lie, "every timeline has the steps of the books")
        for architecture in (SAGA, CQRS)
        for lie in (
            _step_hidden,
            _step_invented,
            _step_renamed,
            _step_at_another_time,
            _step_for_another_reason,
        )
    ),
    (CQRS, _read_before_its_version, "an answered position covers its own write"),
    (CQRS, _position_of_the_future, "no answer is newer than the requests that clients had sent"),
    (CQRS, _hidden_from_the_first_call, "no read is older than its client may expect"),
    (CQRS, _other_order_in_the_log, "the books keep the order that clients saw"),
    (CQRS, _another_fingerprint, "every stored transfer is whole"),
    (SAGA, _wallet_that_is_lost, "every balance follows from the answers of its clients"),
    (SAGA, _reused_key_that_is_new, "a key answers with its first request"),
    (SAGA, _first_call_called_a_replay, "a key answers with its first request"),
    (CQRS, _versions_in_another_order, "positions have no gaps and follow the versions"),
    (SAGA, _lookup_of_nothing, "every looked-up transfer is that of the books"),
    (SAGA, _statement_of_nothing, "every statement lists the postings of the books"),
    (SAGA, _statement_hidden, "every statement lists the postings of the books"),
    (CQRS, _freeze_before_its_event, "an answered position covers its own write"),
    (CQRS, _position_beyond_the_log, "an answered position covers its own write"),
    (CQRS, _payee_asked_first, "every stored refusal had its reason"),
    (SAGA, _work_that_did_not_end, "all work has ended"),
    (SAGA, _transfer_that_did_not_end, "all work has ended"),
    (CQRS, _entry_of_another_log, "every follower has the epoch of the log"),
    (CQRS, _follower_of_nothing, "every follower has the epoch of the log"),
    (CQRS, _broker_not_asked, "servers store acknowledged data durably"),
    (SAGA, _amount_of_an_acknowledged_transfer, "every acknowledged transfer is in the books once"),
    (SAGA, _balance_after_a_posting, "every stored balance is the sum of its postings"),
    (SAGA, _balance_before_the_run, "the history before the run has not changed"),
    (SAGA, _refusal_before_the_run, "the history before the run has not changed"),
    (CQRS, _balance_of_a_system_account, "money is conserved"),
    (SAGA, _credit_missing, "the credit barrier agrees with every transfer"),
    (SAGA, _credit_of_a_local_transfer, "the credit barrier agrees with every transfer"),
    (CQRS, _listed_posting_missing, "every listed posting is one of the books"),
    (SAGA, _past_balance_of_another_version, "every past balance is that of its moment"),
    (CQRS, _another_counterparty, "every transfer has exactly its postings"),
    (SAGA, _another_reason, "no refused transfer happened"),
    (SAGA, _frozen_without_a_call, "every change of a status was sent"),
    (CQRS, _paid_while_frozen, "postings obey the wallet's status"),
    (CQRS, _currency_removed, "every row stores its columns"),
    (SAGA, _slot_of_another_shard, "every row is on the shard that owns its slot"),
    (SAGA, _version_left_out, "versions have no gaps"),
    (SAGA, _without_calls, "every transfer in the books was sent once"),
]
"""Each lie, the architecture that can have it, and the rule that must find it."""

MISSING: list[tuple[Architecture, list[str], str]] = [
    (SAGA, ["run"], "all work has ended"),
    (SAGA, ["system_accounts"], "system accounts are the other side of every posting"),
    (SAGA, ["credits"], "the credit barrier agrees with every transfer"),
    (CQRS, ["system_accounts"], "system accounts are the other side of every posting"),
    (SAGA, ["holders", "wallets"], "every stored wallet is the fold of its postings"),
    (CQRS, ["holders", "wallets", "listed"], "every stored wallet is the fold of its postings"),
    (CQRS, ["positions", "epochs"], "positions have no gaps and follow the versions"),
]
"""Relations that are empty, and the rule that must notice it."""


def _second_epoch(relations: Relations) -> None:
    first = relations["epochs"][0]
    before = {"number": 2, "after_position": -1, "at_us": first["at_us"] - 1}
    relations["epochs"].append(first | before)


def _payee_asked_before_a_frozen_payer(relations: Relations) -> None:
    _refused_by_payee(relations)["payer"] = "frozen"


def _payee_asked_before_a_payer_of_another_currency(relations: Relations) -> None:
    _refused_by_payee(relations)["currency"] = "GBP"


def _refused_by_payee(relations: Relations) -> Row:
    return next(
        row
        for row in relations["transfers"]
        if row["kind"] == "transfer" and row["refused_by"] == row["payee"]
    )


OTHERS: list[tuple[Architecture, Callable[[Relations], None]]] = [
    (CQRS, _second_epoch),
    (CQRS, _payee_asked_before_a_frozen_payer),
    (CQRS, _payee_asked_before_a_payer_of_another_currency),
]
"""Lies that several rules find."""
