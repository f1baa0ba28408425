"""The k6 scripts in k6: against real stacks, and against a server with scripted responses."""

import json
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncpg
import duckdb
import pytest

from wallet_lab.blocking import run_blocking
from wallet_lab.checker.schema import CALLS
from wallet_lab.record.calls import Call
from wallet_lab.record.reader import add_calls, read_record
from wallet_lab.testing import RunningStack, running_stack

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[1]
# Without the port of k6's API, and without a usage report to its makers.
QUIET_K6 = (str(Path(sys.executable).with_name("k6")), "run", "--quiet", "--address=", "--no-usage-report")
SHORT = {"DURATION": "1s", "VUS": "5", "WALLETS": "20", "RATE": "50"}


@dataclass(frozen=True)
class Load:
    """The results of one run of k6."""

    code: int
    said: str
    summary: dict[str, Any]
    calls: list[Call]
    """The transfers of the record."""
    rows: list[dict[str, Any]]
    """All calls of the record, as the relation `calls` has them."""

    @property
    def outcomes(self) -> "Counter[str]":
        """Count the logged outcomes by the part before the colon."""
        return Counter(call.kind for call in self.calls)

    @property
    def counted(self) -> dict[str, int]:
        """Return k6's own counts of the outcomes, without zeros."""
        outcomes = {**self.summary["outcomes"], "refused": sum(self.summary["outcomes"]["refused"].values())}
        return {kind: count for kind, count in outcomes.items() if count}


def run_k6(base_url: str, scenario: str, folder: Path, **env: str) -> Load:
    """Run a scenario to its end."""
    record, summary = folder / "record", folder / "summary.json"
    asked = {"BASE_URL": base_url, "SCENARIO": scenario, "SUMMARY": str(summary), "CALLS": "1", "RUN": "test"}
    command = [*QUIET_K6, f"--log-output=file={record}", "--log-format=raw"]
    for name, value in {**asked, **env}.items():
        command += ["-e", f"{name}={value}"]
    finished = subprocess.run(
        [*command, str(SCRIPTS / "script.js")], capture_output=True, text=True, check=False, timeout=60
    )
    log = record.read_text() if record.exists() else ""
    seen = json.loads(summary.read_text()) if summary.exists() else {}
    calls, rows = _recorded(record, seen["requests"]) if seen else ([], [])
    return Load(
        finished.returncode,
        finished.stdout + finished.stderr + re.sub(r"^(call|clock)\t.*\n", "", log, flags=re.MULTILINE),
        seen,
        calls,
        rows,
    )


def _recorded(record: Path, requests: int) -> tuple[list[Call], list[dict[str, Any]]]:
    with duckdb.connect() as database:
        database.execute(CALLS.ddl)
        calls = read_record(database, record, requests=requests)
        add_calls(database, "test")
        found = database.execute("SELECT * FROM calls")
        names = [column.name for column in CALLS.columns]
        return calls, [dict(zip(names, row, strict=True)) for row in found.fetchall()]


# --- against real stacks


@pytest.fixture(scope="module")
def saga() -> Iterator[RunningStack]:
    """One saga stack for all scenarios."""
    with running_stack("saga") as stack:
        yield stack


@pytest.fixture(scope="module")
def cqrs() -> Iterator[RunningStack]:
    """One cqrs stack with a single read shard, because it starts sooner and has a real delay too."""
    with running_stack("cqrs", shards=1) as stack:
        yield stack


def booked(stack: RunningStack, run: str) -> "Counter[str]":
    """Count a run's transfers by state, from the saga log of all shards."""

    async def look() -> "Counter[str]":
        found: Counter[str] = Counter()
        for url in stack.database_urls:
            connection = await asyncpg.connect(url)
            try:
                rows = await connection.fetch(
                    "SELECT state, count(*) FROM transfers WHERE starts_with(idempotency_key, $1) GROUP BY state",
                    f"{run}-",
                )
                found.update(dict(rows))
            finally:
                await connection.close()
        return found

    return run_blocking(look())


@pytest.mark.parametrize(
    ("scenario", "env"),
    [
        ("smoke", {"VUS": "1"}),
        ("normal", {}),
        ("highload", {"VUS": "20"}),
        ("hot-pair", {}),
        ("uniform", {}),
        ("zipf", {"SKEW": "1.2"}),
        ("open", {}),
        ("mixed", {}),
    ],
)
def test_every_transfer_is_counted_logged_and_in_the_books(
    saga: RunningStack, tmp_path: Path, scenario: str, env: dict[str, str]
) -> None:
    """On a healthy stack all transfers succeed, and k6's counts, its log and the books agree."""
    load = run_k6(saga.base_url, scenario, tmp_path, **{**SHORT, "RUN": f"all-{scenario}", **env})
    assert load.code == 0, load.said
    assert set(load.outcomes) == {"success"}
    assert load.counted == load.outcomes
    assert len({call.key for call in load.calls}) == len(load.calls)
    assert sum(booked(saga, f"all-{scenario}").values()) == len(load.calls)
    assert load.summary["latency_ms"]["samples"] == len(load.calls)
    assert load.summary["crossed"] == []


def test_refusals_make_the_saga_compensate(saga: RunningStack, tmp_path: Path) -> None:
    """Some transfers to missing or frozen wallets were debited and are refunded; each response has its reason."""
    load = run_k6(saga.base_url, "refusals", tmp_path, **{**SHORT, "RUN": "refusals"})
    assert load.code == 0, load.said
    assert load.counted == load.outcomes
    assert set(load.summary["outcomes"]["refused"]) == {
        "wallet-not-found",
        "wallet-frozen",
        "insufficient-funds",
    }
    books = booked(saga, "refusals")
    assert books["refunded"] > 0
    assert books["refunded"] + books["refused"] == load.outcomes["refused"]


def test_reads_are_counted_apart(saga: RunningStack, tmp_path: Path) -> None:
    """A run without transfers has no transfer latency: the value is null, not 0."""
    load = run_k6(saga.base_url, "reads", tmp_path, **SHORT)
    assert load.code == 0, load.said
    assert load.calls == []
    reads = [row for row in load.rows if row["operation"] == "balance"]
    assert len(reads) == load.summary["reads"]["success"]
    assert all(row["balance_micros"] >= 0 and row["version"] >= 1 for row in reads)
    assert load.summary["latency_ms"] is None
    assert load.summary["reads"]["success"] == load.summary["iterations"]
    assert load.summary["reads"]["latency_ms"]["p50"] > 0


EVERY_OPERATION = {
    *("open", "transfer", "deposit", "withdraw", "freeze", "unfreeze", "close"),
    *("balance", "balance_at", "statement", "lookup"),
}
REFUSALS = {
    *("wallet-not-found", "wallet-frozen", "wallet-closed", "currency-mismatch", "insufficient-funds"),
    "idempotency-key-reused",
}


@pytest.mark.parametrize("architecture", ["saga", "cqrs"])
def test_bank_sends_every_operation_of_the_contract(
    architecture: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A bank sends every operation, also again, and is refused for many reasons; no answer is an error."""
    stack: RunningStack = request.getfixturevalue(architecture)
    load = run_k6(stack.base_url, "bank", tmp_path, DURATION="4s", VUS="10", RUN=f"bank-{architecture}")
    assert load.code == 0, load.said
    assert {row["operation"] for row in load.rows} == EVERY_OPERATION
    assert {row["problem"] for row in load.rows} >= REFUSALS
    assert any(row["replayed"] for row in load.rows)
    assert any(row["key"] is None for row in load.rows if row["operation"] == "transfer")
    assert any(row["cursor"] for row in load.rows)
    assert any(row["min_position"] for row in load.rows) == (architecture == "cqrs")


def test_a_client_draws_the_same_calls_again(saga: RunningStack, tmp_path: Path) -> None:
    """With the same SEED, a client sends the same calls in every run; with another SEED, it sends others."""

    def sent(seed: str, run: str) -> list[tuple[Any, ...]]:
        asked = {"DURATION": "1s", "VUS": "1", "WALLETS": "20", "SEED": seed, "RUN": run}
        load = run_k6(saga.base_url, "mixed", tmp_path, **asked)
        (tmp_path / "record").unlink()
        rows = [row for row in load.rows if row["client"] == "test 1"]
        return [(row["operation"], row["account"], row["counterparty"]) for row in rows[:30]]

    assert sent("7", "first") == sent("7", "second") != sent("8", "third")


def test_sweep_reports_each_step(saga: RunningStack, tmp_path: Path) -> None:
    """Each step of a sweep has its own rate, outcomes and latency; the record names the step of each call."""
    asked = {**SHORT, "RATES": "20,80", "RUN": "rising", "VUS": "30"}
    load = run_k6(saga.base_url, "sweep", tmp_path, **asked)
    assert load.code == 0, load.said
    slow, fast = load.summary["steps"]
    assert [(step["name"], step["offered"]) for step in (slow, fast)] == [("sweep-20", 20), ("sweep-80", 80)]
    for step in (slow, fast):
        logged = [call for call in load.calls if call.part == step["name"]]
        assert step["outcomes"]["success"] == step["latency_ms"]["samples"] == len(logged)
    # A busy machine may not start all offered transfers.
    assert 0 < slow["outcomes"]["success"] < fast["outcomes"]["success"] <= 81


def test_reads_of_the_saga_are_never_stale(saga: RunningStack, tmp_path: Path) -> None:
    """In the saga, the first read after an acknowledgement shows the transfer, also under load."""
    load = run_k6(saga.base_url, "consistency", tmp_path, **SHORT)
    assert load.code == 0, load.said
    assert load.summary["stale_reads"] == 0
    assert load.summary["delay_ms"]["samples"] > 0
    assert load.summary["delay_ms"]["p50"] >= load.summary["plain_read_ms"]["p50"]
    assert load.summary["fresh_read_ms"] is None
    assert any(call.part == "beside" for call in load.calls)


def test_the_delay_of_projected_reads_is_measured(cqrs: RunningStack, tmp_path: Path) -> None:
    """In cqrs, a read without min_position shows the measured delay; a read with it is always fresh."""
    load = run_k6(cqrs.base_url, "consistency", tmp_path, **{**SHORT, "RATE": "0", "DURATION": "2s"})
    assert load.code == 0, load.said
    assert load.summary["stale_reads"] > 0
    assert load.summary["delay_ms"]["p50"] > 0
    assert load.summary["plain_read_ms"]["samples"] > 0
    assert load.summary["fresh_read_ms"]["samples"] > 0


# --- against a server with scripted responses

SUCCESS = '{"status":"success","transactionId":"0193a1f0-7c2b-8d41-9a6e-5b1f0c3d7e42"}'
HANG, HANG_UP, SLOW, BREAK = -1, -2, -3, -4
"""Special statuses: no response, a closed connection, a slow success, and a connection that breaks once, then 503."""


def problem(name: str) -> str:
    """Return a problem document with the members that a client reads."""
    return json.dumps({"type": f"/problems/{name}"})


ANSWERS: list[tuple[int, str, str]] = [
    (201, SUCCESS, "success"),
    (201, SUCCESS[:-1] + ',"position":7}', "success"),
    (201, SUCCESS.replace("success", "refused"), "error:201-not-success"),
    (201, '{"status":"success"}', "error:201-not-success"),
    (201, "<html>", "error:201-not-success"),
    (201, "null", "error:201-not-success"),
    (200, SUCCESS, "error:http-200"),
    (202, SUCCESS.replace("success", "pending"), "pending"),
    (202, SUCCESS, "error:202-not-pending"),
    (404, problem("wallet-not-found"), "refused:wallet-not-found"),
    (404, problem("not-found"), "error:not-found"),
    (409, problem("insufficient-funds"), "refused:insufficient-funds"),
    (409, problem("wallet-frozen"), "refused:wallet-frozen"),
    (409, problem("wallet-closed"), "refused:wallet-closed"),
    (409, problem("currency-mismatch"), "refused:currency-mismatch"),
    (409, problem("balance-limit"), "refused:balance-limit"),
    (422, problem("idempotency-key-reused"), "error:idempotency-key-reused"),
    (500, problem("internal-error"), "error:internal-error"),
    (503, problem("overloaded"), "rejected:overloaded"),
    (503, problem("draining"), "rejected:draining"),
    (503, problem("shard-unavailable"), "rejected:shard-unavailable"),
    (503, problem("outcome-unknown"), "unknown:outcome-unknown"),
    (503, "Service Unavailable", "error:http-503"),
    (502, '{"type":"a b\\nc"}', "error:http-502"),
    (HANG, "", "unknown:timeout"),
    (HANG_UP, "", "unknown:connection-lost"),
]


class Scripted(ThreadingHTTPServer):
    """Answers transfers with these responses in turn, and records each key's response."""

    daemon_threads = True

    def __init__(self, answers: list[tuple[int, str, str]], handler: type["_Handler"]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.answers = answers
        self.expected: dict[str, str] = {}
        self.broken: set[str] = set()
        """Keys whose first request got no answer."""
        self.bodies: list[dict[str, Any]] = []
        self.has_reads = False
        self.turn = threading.Lock()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self.server_port}"

    def answer_to(self, key: str) -> tuple[int, str]:
        """Return the next response; a key that k6's library sends again gets the same one."""
        with self.turn:
            place = list(self.expected).index(key) if key in self.expected else len(self.expected)
            status, body, outcome = self.answers[place % len(self.answers)]
            self.expected[key] = outcome
        if status != BREAK:
            return status, body
        if key in self.broken:
            return 503, body
        self.broken.add(key)
        return HANG_UP, ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        status, body = self.server.answer_to(self.headers["Idempotency-Key"])
        if status in (HANG, HANG_UP):
            if status == HANG:
                self.server.released.wait(30)
            self.close_connection = True
            return
        if status == SLOW:
            self.server.released.wait(0.7)
        self._send(201 if status == SLOW else status, body)

    def do_GET(self) -> None:
        self.server.has_reads = True
        self._send(200, '{"balance": 1}')

    def _send(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Log nothing."""


@contextmanager
def scripted(answers: list[tuple[int, str, str]], handler: type[_Handler] = _Handler) -> Iterator[Scripted]:
    """A running server."""
    with Scripted(answers, handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


def test_every_response_has_one_outcome(tmp_path: Path) -> None:
    """Each possible response has one outcome; a response that the contract does not allow crosses a threshold."""
    with scripted(ANSWERS) as server:
        times = {"ITERATIONS": str(len(ANSWERS)), "SEEDED": "1", "TIMEOUT": "500ms"}
        load = run_k6(server.url, "smoke", tmp_path, **times)
    assert {call.key: call.outcome for call in load.calls} == server.expected
    assert load.counted == load.outcomes
    assert load.code == 99
    assert "wallet_transfers{outcome:error} count==0" in load.summary["crossed"]
    assert "checks rate==1" in load.summary["crossed"]


def test_each_client_uses_one_replica_of_each_kind(tmp_path: Path) -> None:
    """Writes go to the WRITE_URLs and reads to the READ_URLs; the clients spread over the replicas."""
    with ExitStack() as servers:
        first, second, reader = (servers.enter_context(scripted([(201, SUCCESS, "success")])) for _ in "123")
        asked = {"WRITE_URL": f"{first.url},{second.url}", "READ_URL": reader.url}
        run_k6("", "mixed", tmp_path, SEEDED="1", VUS="4", DURATION="1s", **asked)
    clients = [{key.split("-")[-2] for key in server.expected} for server in (first, second, reader)]
    assert clients == [{"2", "4"}, {"1", "3"}, set()]
    assert [server.has_reads for server in (first, second, reader)] == [False, False, True]


def test_refusal_with_status_201_fails_the_run(tmp_path: Path) -> None:
    """A 201 response that contains a refusal is an error, not a success."""
    refused = SUCCESS.replace("success", "refused")
    with scripted([(201, refused, "error:201-not-success")]) as server:
        load = run_k6(server.url, "hot-pair", tmp_path, SEEDED="1", **SHORT)
    assert load.code == 99
    assert load.summary["outcomes"]["success"] == 0


def test_a_call_that_k6_sends_again_is_marked(tmp_path: Path) -> None:
    """If a connection breaks, k6 sends a call with a key again. The record marks it, but not every call.

    A slow machine takes long to send some of the other calls, and the record then marks them, too.
    """
    busy = problem("overloaded")
    with scripted([(503, busy, "rejected:overloaded"), (BREAK, busy, "rejected:overloaded")]) as server:
        load = run_k6(server.url, "smoke", tmp_path, ITERATIONS="40", SEEDED="1")
    marked = {row["key"] for row in load.rows if row["may_be_resent"]}
    assert len(server.broken) == 20
    assert server.broken <= marked
    assert len(marked - server.broken) < 20


class Lossy(_Handler):
    """Loses every second first request of a key, as a service that is killed does. Later requests get the key."""

    wbufsize = 65536  # one packet per response, because a second one would wait 40 ms

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])), parse_float=str)
        status, body = self._decide(self.headers["Idempotency-Key"], json.dumps(sent))
        self._send(status, body)

    def _decide(self, key: str | None, sent: str) -> tuple[int, str]:
        first = self.server.expected
        with self.server.turn:
            if key is not None and key not in first and len(first) % 2:
                first[key] = ""
                return 503, problem("shard-unavailable")
            if key is not None and (first.get(key) or sent) != sent:
                return 422, problem("idempotency-key-reused")
            if key is not None:
                first[key] = sent
            return 201, SUCCESS[:-1] + ',"accountId":"a","version":1}'

    def do_GET(self) -> None:
        self._send(200, '{"balance":1,"items":[],"transactionId":"t","status":"success"}')

    def do_PUT(self) -> None:
        if "Content-Length" in self.headers:
            self.rfile.read(int(self.headers["Content-Length"]))
        self._send(200, '{"accountId":"a","version":1}')

    def do_DELETE(self) -> None:
        self.do_PUT()


def test_bank_expects_no_replay_of_a_lost_request_whose_key_was_reused(tmp_path: Path) -> None:
    """If a first request was lost and another one has its key, the client does not send the first one again."""
    with scripted([], Lossy) as server:
        load = run_k6(server.url, "bank", tmp_path, SEEDED="1", VUS="5", DURATION="4s")
    assert any(row["problem"] == "idempotency-key-reused" for row in load.rows)
    assert load.code == 0, load.said


def test_transfer_sent_before_the_end_is_logged(tmp_path: Path) -> None:
    """A client that sent a transfer before the end of the load waits for the response and logs it."""
    with scripted([(SLOW, SUCCESS, "success")]) as server:
        load = run_k6(server.url, "hot-pair", tmp_path, SEEDED="1", VUS="8", DURATION="1s")
    assert len(load.calls) >= 8
    assert {call.key: call.outcome for call in load.calls} == server.expected
    assert all(call.duration_ms >= 700 for call in load.calls)


def test_each_transfer_follows_the_contract(tmp_path: Path) -> None:
    """Each transfer moves one exact amount between two different wallets."""
    with scripted([(201, SUCCESS, "success")]) as server:
        run_k6(server.url, "zipf", tmp_path, SEEDED="1", **{**SHORT, "WALLETS": "3", "WALLET_PREFIX": "w"})
    assert {body["fromAccount"] for body in server.bodies} == {"w0", "w1", "w2"}
    assert all(body["fromAccount"] != body["toAccount"] for body in server.bodies)
    assert {(body["amount"], body["currency"]) for body in server.bodies} == {(0.01, "USD")}


# --- k6 alone


def test_zipf_draws_wallets_by_their_rank(tmp_path: Path) -> None:
    """Wallet number k-1 is drawn in proportion to k to the power of minus the skew."""
    script = tmp_path / "draws.js"
    script.write_text(
        f"import {{ zipf }} from '{SCRIPTS}/lib/wallets.js';\n"
        "export default function () {\n"
        "  for (const skew of [0.8, 1, 1.5]) {\n"
        "    const [draw, drawn] = [zipf(5, skew), [0, 0, 0, 0, 0]];\n"
        "    for (let n = 0; n < 20000; n += 1) drawn[draw()] += 1;\n"
        "    console.log(`${skew} ${drawn}`);\n"
        "  }\n"
        "}\n"
    )
    said = subprocess.run(
        [*QUIET_K6, "--log-format=raw", str(script)], capture_output=True, text=True, check=True
    )
    lines = re.findall(r"^([\d.]+) ([\d,]+)$", said.stderr, re.MULTILINE)
    assert len(lines) == 3
    for skew, drawn in lines:
        weights = [k ** -float(skew) for k in range(1, 6)]
        expected = [20000 * weight / sum(weights) for weight in weights]
        # Four standard deviations are at most 283.
        assert [int(times) for times in drawn.split(",")] == pytest.approx(expected, abs=283)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"SCENARIO": "hotpair"}, "SCENARIO=hotpair is none of smoke, normal, highload, hot-pair"),
        ({"ARCH": "soap", "BASE_URL": ""}, "ARCH=soap is none of saga, cqrs, noop"),
        ({"VUS": "many"}, "VUS=many is not a number"),
        ({"DURATION": "long"}, "DURATION=long is not a duration such as"),
        ({"SCENARIO": "uniform", "WALLETS": "1"}, "WALLETS=1: a transfer needs two"),
    ],
)
def test_wrong_variable_ends_the_run_with_the_valid_values(
    tmp_path: Path, env: dict[str, str], said: str
) -> None:
    """If a variable is wrong, the run ends immediately and names the valid values."""
    load = run_k6("http://127.0.0.1:1", "smoke", tmp_path, **env)
    assert load.code not in (0, 99)
    assert said in load.said


def test_error_of_an_unreachable_stack_names_its_address(tmp_path: Path) -> None:
    """If the stack is not up, the message names its address and asks whether the stack is up."""
    load = run_k6("http://127.0.0.1:1", "smoke", tmp_path)
    assert load.code not in (0, 99)
    assert "no wallet was opened at http://127.0.0.1:1" in load.said
    assert "is the stack up?" in load.said


def test_the_readme_has_every_scenario_variable_and_metric() -> None:
    """Every scenario, variable and metric has a row in the tables of load-testing/README.md."""
    source = "".join(
        file.read_text() for part in ("lib", "scenarios") for file in (SCRIPTS / part).glob("*.js")
    )
    names = set(re.findall(r"\b(?:text|number|seconds|rates)\('([A-Z_]+)'", source))
    names |= set(re.findall(r"new (?:Counter|Trend|Rate)\('(\w+)'", source))
    names |= {match.strip("'") for match in re.findall(r"\w+(?=: \w+,)|'[\w-]+'", _listed_scenarios())}
    assert {"SCENARIO", "SKEW", "wallet_visible_ms", "hot-pair"} <= names
    rows = re.findall(r"^\| (`.*?) \|", (SCRIPTS / "README.md").read_text(), re.MULTILINE)
    described = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    assert names - described == set()


def _listed_scenarios() -> str:
    index = (SCRIPTS / "scenarios" / "index.js").read_text()
    return index.partition("SCENARIOS = {")[2].partition("}")[0]
