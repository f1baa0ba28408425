"""The record of calls: the calls in its lines, and the figures computed from its transfers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from lab_support.measured import measurement

from wallet_lab.checker.schema import CALLS
from wallet_lab.errors import LabError
from wallet_lab.record.calls import Call, count, latency
from wallet_lab.record.reader import add_calls, read_record
from wallet_lab.workload.k6 import DifferentLoad, record_of

CLOCK = "clock\t1764000000000.25"
ID = "01a21e9d-15b6-8b23-9299-ef0bcf32a846"
BALANCE_MAX = 9_223_372_036_854_775_807


def line(operation: str, path: str, *, sent: str = "", answer: str = "", **other: str) -> str:
    """Return a line as lib/record.js writes it; `other` replaces fields by name."""
    fields = {
        "client": "1",
        "part": "bank",
        "operation": operation,
        "sent_ms": "11.5004",
        "answered_ms": "13.7504",
    }
    fields |= {"elapsed_ms": "2.000", "status": "200", "outcome": "success", "replayed": "", "resent": ""}
    fields |= {"key": "", "path": path, "sent": sent, "answer": answer}
    return "\t".join(["call", *(fields | other).values()])


def transfer(
    amount: str = "0.01", answer: str = f'{{"status":"success","transactionId":"{ID}"}}', **other: str
) -> str:
    """Return the line of a transfer from a to b."""
    sent = f'{{"fromAccount":"a","toAccount":"b","amount":{amount},"currency":"USD"}}'
    given = {"status": "201", "key": "r-bank-1-0"} | other
    return line("transfer", "/wallets/balanceTransfer", sent=sent, answer=answer, **given)


def as_request(call: str) -> str:
    """Return the line that lib/record.js writes before the answer of a call."""
    fields = call.split("\t")
    return "\t".join(["sent", *fields[1:5], "", "", "", "", "", "", *fields[11:14], ""])


def read(
    folder: Path, *lines: str, requests: int | None = None, was_stopped: bool = False
) -> tuple[list[Call], list[dict[str, Any]]]:
    """Return the transfers of a record with these lines, and its rows of the relation `calls`."""
    file = folder / "record"
    file.write_text("".join(f"{one}\n" for one in (CLOCK, *lines)))
    with duckdb.connect() as database:
        database.execute(CALLS.ddl)
        transfers = read_record(database, file, requests=requests, was_stopped=was_stopped)
        add_calls(database, "r")
        found = database.execute("SELECT * FROM calls ORDER BY call_id")
        names = [column[0] for column in found.description or []]
        return transfers, [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def shown(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    """Return these columns of a row."""
    return tuple(row[name] for name in names)


def test_a_transfer_is_read_as_it_was_sent_and_answered(tmp_path: Path) -> None:
    """A line of a transfer gives its request and its response, and times from k6's clock as wall times."""
    transfers, (row,) = read(tmp_path, "Request Failed", transfer())
    assert transfers == [Call("r-bank-1-0", 1764000000011.75, 2.0, "success", ID, "bank")]
    assert shown(row, "load", "client", "part", "operation") == ("r", "r 1", "bank", "transfer")
    assert shown(row, "account", "counterparty", "amount_micros", "currency") == ("a", "b", 10_000, "USD")
    assert shown(row, "sent_us", "answered_us") == (1764000000011750, 1764000000014001)
    assert shown(row, "status", "state", "transaction_id", "key") == (201, "success", ID, "r-bank-1-0")
    assert shown(row, "replayed", "may_be_resent", "problem", "body") == (False, False, None, None)


def test_each_run_in_one_file_has_its_own_clock(tmp_path: Path) -> None:
    """If a second run is appended to a file, its calls have the times of its own clock, and none is read twice."""
    _, rows = read(tmp_path, transfer(), "clock\t1764000100000.25", transfer(key="s-bank-1-0"))
    assert [shown(row, "key", "sent_us") for row in rows] == [
        ("r-bank-1-0", 1764000000011750),
        ("s-bank-1-0", 1764000100011750),
    ]


def test_request_without_an_answer_is_an_unknown_call_that_ended_with_the_load(tmp_path: Path) -> None:
    """If a load was stopped, its requests without an answer are calls with an unknown outcome until the last time."""
    answered, waiting = transfer(), transfer(key="r-bank-2-0", client="2", sent_ms="12.5")
    lines = [
        as_request(answered),
        answered,
        as_request(waiting),
        transfer(answered_ms="20.25", key="r-bank-3-0"),
    ]
    transfers, rows = read(tmp_path, *lines, requests=2, was_stopped=True)
    assert [call.outcome for call in transfers] == ["success", "unknown:stopped", "success"]
    (lost,) = (row for row in rows if row["key"] == "r-bank-2-0")
    assert shown(lost, "status", "amount_micros", "transaction_id") == (0, 10_000, None)
    assert shown(lost, "sent_us", "answered_us") == (1764000000012750, 1764000000020500)


def test_stopped_load_without_a_line_for_a_counted_request_is_incomplete(tmp_path: Path) -> None:
    """If k6 counted more requests than the record has, the record of a stopped load is refused too."""
    with pytest.raises(LabError, match="not complete"):
        read(tmp_path, as_request(transfer()), requests=2, was_stopped=True)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("0.000001", 1),
        ('"1.500000"', 1_500_000),
        ("1e1", 10_000_000),
        ("9223372036854.775807", BALANCE_MAX),
        ("8223372036854.775809", 8_223_372_036_854_775_809),
        ("0.0000001", None),
        ("99999999999999999999", None),
    ],
)
def test_amounts_are_exact(tmp_path: Path, text: str, micros: int | None) -> None:
    """An amount is read without a binary float. If it is not a number of micros, it is NULL."""
    answer = f'{{"accountId":"a","currency":"USD","balance":{text},"version":1,"status":"active"}}'
    _, (sent, answered) = read(tmp_path, transfer(text), line("balance", "/wallets/a/balance", answer=answer))
    assert sent["amount_micros"] == micros
    assert answered["balance_micros"] == micros


def test_a_wallet_of_an_answer_is_read(tmp_path: Path) -> None:
    """Openings, status changes and balances give the wallet in their answers."""
    answer = (
        f'{{"transactionId":"{ID}","accountId":"a","currency":"EUR","balance":7.25,"version":3,"status":"frozen",'
        '"lastUpdated":"2026-01-02T03:04:05.000006Z","position":9}'
    )
    opening = line("open", "/wallets", sent='{"accountId":"a","currency":"EUR"}', answer=answer, status="201")
    _, rows = read(tmp_path, opening, line("freeze", "/wallets/a", sent='{"status":"frozen"}', answer=answer))
    for row in rows:
        assert shown(row, "account", "answered_account", "wallet_currency") == ("a", "a", "EUR")
        assert shown(row, "balance_micros", "version", "wallet_status", "position") == (
            7_250_000,
            3,
            "frozen",
            9,
        )
        assert row["updated_us"] == 1_767_323_045_000_006
    assert [row["amount_micros"] for row in rows] == [0, None]


def test_the_parameters_of_reads_are_read(tmp_path: Path) -> None:
    """The parameters of a read are in its path; statements and lookups keep their bodies."""
    page, document = '{"items":[],"nextCursor":null}', f'{{"transactionId":"{ID}","status":"success"}}'
    _, rows = read(
        tmp_path,
        line("balance", "/wallets/a/balance?min_position=7"),
        line("balance_at", "/wallets/a/balance?at=2026-01-02T03:04:05.006Z"),
        line("statement", "/wallets/a/transactions?limit=5&cursor=v12&min_position=8", answer=page),
        line("lookup", f"/transfers/{ID}", answer=document),
    )
    assert [row["account"] for row in rows] == ["a", "a", "a", ""]
    assert [row["min_position"] for row in rows] == [7, None, 8, None]
    assert rows[1]["at_asked_us"] == 1_767_323_045_006_000
    assert shown(rows[2], "limit_asked", "cursor", "body") == (5, "v12", page)
    assert shown(rows[3], "transaction_id_asked", "transaction_id", "body") == (ID, ID, document)


def test_problems_and_missing_answers_are_read(tmp_path: Path) -> None:
    """A problem gives its name and no state; a call without an answer has only status 0."""
    problem = f'{{"type":"/problems/wallet-frozen","status":409,"transactionId":"{ID}"}}'
    refused = transfer(answer=problem, status="409", outcome="refused:wallet-frozen", replayed="replayed")
    lost = transfer(answer="", status="0", outcome="unknown:timeout", resent="resent")
    garbled = transfer(answer="<html>\tno JSON", status="502", outcome="error:http-502")
    _, rows = read(tmp_path, refused, lost, garbled)
    assert [row["problem"] for row in rows] == ["wallet-frozen", None, None]
    assert [row["state"] for row in rows] == [None, None, None]
    assert [row["transaction_id"] for row in rows] == [ID, None, None]
    assert [row["replayed"] for row in rows] == [True, False, False]
    assert [row["may_be_resent"] for row in rows] == [False, True, False]


def test_call_without_a_key_is_never_marked_as_resent(tmp_path: Path) -> None:
    """k6's HTTP library resends only calls with a key, so slow sending of another call means nothing."""
    _, (row,) = read(tmp_path, transfer(key="", resent="resent"))
    assert shown(row, "key", "may_be_resent") == (None, False)


@pytest.mark.parametrize(
    ("lines", "requests", "said"),
    [
        ([transfer()], 2, "k6 sent 2 requests and recorded 1, so the record is not complete"),
        ([transfer(), transfer()], 1, "k6 sent 1 requests and recorded 2, so the record is not complete"),
        (["Request Failed"], None, "contains no calls. Run k6 with -e CALLS=1"),
        ([transfer(status="half a li")], 1, "is not a record of calls"),
        (["\t".join(transfer().split("\t")[:3])], 1, "is not a record of calls"),
    ],
)
def test_an_incomplete_record_is_an_error(
    tmp_path: Path, lines: list[str], requests: int | None, said: str
) -> None:
    """If lines are lost, doubled or damaged, there are no figures."""
    with pytest.raises(LabError, match=said):
        read(tmp_path, *lines, requests=requests)


def test_every_call_is_counted_once() -> None:
    """Each outcome is counted on its own, and refusals are counted by problem."""
    answers = [
        "success",
        "success",
        "pending",
        "refused:a",
        "refused:b",
        "refused:b",
        "unknown:x",
        "rejected:y",
        "error:z",
    ]
    outcomes = count(Call(str(number), 0, 1.0, answer, None) for number, answer in enumerate(answers))
    assert (outcomes.success, outcomes.pending, outcomes.refused) == (2, 1, {"a": 1, "b": 2})
    assert (outcomes.unknown, outcomes.rejected, outcomes.error) == (1, 1, 1)


def test_latency_percentiles_are_exact_ranks() -> None:
    """For times of 1 … 1000 ms, the median is 500 ms and the distribution rises to the maximum."""
    found = latency([float(ms) for ms in range(1000, 0, -1)])
    assert found is not None
    assert (found.p50, found.p95, found.p99, found.max) == (500, 950, 990, 1000)
    assert found.distribution == sorted(found.distribution)
    assert found.distribution[-1] == (1.0, 1000.0)


def test_latency_of_no_calls_is_none() -> None:
    """Without calls, the latency is None, not 0."""
    assert latency([]) is None


def test_load_that_differs_from_the_scenario_has_its_calls_in_the_evidence(tmp_path: Path) -> None:
    """If k6 ran another load than requested, its run has no figures, but the audit needs all of its calls."""
    file = tmp_path / "record"
    file.write_text(f"{CLOCK}\n{transfer()}\n")
    load = replace(measurement().load, record=file, differences=("9 clients were measured",))
    load = replace(load, summary=msgspec.structs.replace(load.summary, requests=1))
    with duckdb.connect() as database:
        database.execute(CALLS.ddl)
        with pytest.raises(DifferentLoad, match="9 clients were measured"):
            record_of(load, database)
        assert database.execute("SELECT count(*) FROM calls").fetchall() == [(1,)]
