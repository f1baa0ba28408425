"""Bench and audit on real stacks: a run has all figures, and the audit finds every planted violation."""
# ruff: noqa: S608 -- all SQL consists of constants of this file

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import duckdb
import msgspec
import pytest
import redis
from typer.testing import CliRunner

from wallet_lab.architectures.cqrs.topology import EVENT_STORE
from wallet_lab.checker import extraction
from wallet_lab.checker.audit import Evidence, audit, audit_books, violations
from wallet_lab.cli import app
from wallet_lab.errors import LabError
from wallet_lab.record.reader import read_record
from wallet_lab.report.model import Audit, Check, Run
from wallet_lab.stack.backends.native import NativeStack, running_stack
from wallet_lab.stack.health.backlog import wait_for_quiescence
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.command import Results
from wallet_lab.workload.k6 import run_k6
from wallet_lab.workload.profile.folder import write
from wallet_lab.workload.run import measure_delay, run_scenario, run_sweep
from wallet_lab.workload.scenarios import find
from wallet_lab.workload.series import seed

pytestmark = pytest.mark.slow

SHORT_S = 1.5
EVERY_FIGURE = {
    *("acked_per_s", "completed_per_s", "latency_ms", "dropped_iterations", "server_cpu_ms_per_transfer"),
    *(
        "disk_bytes_per_transfer",
        "network_bytes_per_transfer",
        "memory_mib_max",
        "batch_size_mean",
        "steal_percent",
        "load_average",
    ),
    "client_cpu_percent",
}


@pytest.fixture(scope="module")
def saga() -> Iterator[RunningStack]:
    """A saga of two shards."""
    with running_stack("saga") as stack:
        yield stack


@pytest.fixture(scope="module")
def cqrs() -> Iterator[RunningStack]:
    """event-driven-cqrs with two read shards."""
    with running_stack("cqrs") as stack:
        yield stack


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the evidence of the runs."""
    return tmp_path_factory.mktemp("evidence")


@pytest.fixture(scope="module")
def saga_run(saga: RunningStack, kept: Path) -> Run:
    """A run in which some transfers succeed, some are refused immediately, and some are compensated."""
    return run_scenario(saga, find("refusals").lasting(SHORT_S), warm_up_s=0, keep=kept / "saga")


@pytest.fixture(scope="module")
def cqrs_run(cqrs: RunningStack, kept: Path) -> Run:
    """A run of cqrs with the same scenario."""
    return run_scenario(cqrs, find("refusals").lasting(SHORT_S), warm_up_s=0, keep=kept / "cqrs")


def broken(checks: Sequence[Check]) -> set[str]:
    """The names of the checks that failed."""
    return {check.name for check in checks if not check.passed}


def assert_measured(run: Run, components: set[str]) -> None:
    """Assert that the run passed and has every figure, with the costs of each component."""
    assert run.verdict == "passed", run.why
    assert {name for name in EVERY_FIGURE if getattr(run, name) is None} == set()
    assert run.server_cpu_ms_per_transfer is not None
    assert run.server_cpu_ms_per_transfer.by_component.keys() == components
    assert run.server_cpu_ms_per_transfer.total > 0
    assert run.outcomes.success > 0
    assert run.outcomes.refused.keys() == {"insufficient-funds", "wallet-frozen", "wallet-not-found"}


def test_a_run_of_the_saga_has_everything(saga_run: Run) -> None:
    """A run of the saga has every figure, per component."""
    assert_measured(saga_run, {"orchestrator", "worker", "postgres", "redis"})


def test_a_run_of_cqrs_has_everything(cqrs_run: Run) -> None:
    """A run of cqrs has every figure, per component, and the broker's messages."""
    services = {"command", "relay", "projection", "query", "gateway"}
    assert_measured(cqrs_run, {*services, "postgres-events", "postgres-read", "redis", "rabbitmq"})
    assert cqrs_run.broker_messages_per_transfer is not None
    assert 0 < cqrs_run.broker_messages_per_transfer < 2


@pytest.fixture(scope="module")
def noop() -> Iterator[RunningStack]:
    """The noop target, which has no books."""
    with running_stack("noop") as stack:
        yield stack


def test_noop_is_measured_and_not_audited(noop: RunningStack) -> None:
    """A run of noop has figures and no audit, because noop has no books."""
    run = run_scenario(noop, find("hot-pair").lasting(1), warm_up_s=0)
    assert (run.verdict, run.audit) == ("passed", None)
    assert run.server_cpu_ms_per_transfer is not None


def test_k6_puts_on_the_load_that_was_asked_for_despite_the_users_settings(
    noop: RunningStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither environment variables nor a configuration file of k6 change the number of clients or the duration."""
    configuration = tmp_path / ".config" / "k6" / "config.json"
    configuration.parent.mkdir(parents=True)
    configuration.write_text('{"vus": 1, "duration": "1s"}')
    for name, value in {"K6_VUS": "1", "K6_DURATION": "1s", "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    asked = find("hot-pair").with_clients(8).lasting(2)
    try:
        load = run_k6(asked, noop.direct, run="asked", folder=tmp_path)
    except LabError as error:
        raise AssertionError(str(error)) from None
    with duckdb.connect() as database:
        calls = read_record(database, load.record, requests=load.summary.requests)
    assert {call.key.split("-")[-2] for call in calls} == {str(number) for number in range(1, 9)}
    assert load.elapsed_s > 2


def test_profile_of_the_saga_shows_its_services(saga: RunningStack, tmp_path: Path) -> None:
    """A profiled run has a flame graph of each service, and the table has shares of orchestrator and worker."""
    if os.geteuid():
        pytest.skip("a profile needs root")
    run = run_scenario(saga, find("hot-pair").lasting(1), warm_up_s=0, profile=tmp_path)
    assert run.verdict == "passed", run.why
    table = write(tmp_path, run)
    assert {file.stem for file in tmp_path.glob("*.svg")} == {"orchestrator-0", "worker-0", "worker-1"}
    assert all("<title>" in file.read_text() for file in tmp_path.glob("*.svg"))
    assert "| group | orchestrator % | µs | worker % | µs |" in table
    assert re.search(r"\| wallet_saga\.orchestrator\.\w+ \| \d", table)
    assert table in (tmp_path / "profile.md").read_text()


def test_a_sweep_and_a_delay(saga: RunningStack) -> None:
    """A sweep makes one run per rate, and the saga's consistency delay is close to zero."""
    runs = run_sweep(saga, replace(find("sweep"), rates_per_s=(40, 80), duration_s=1.0), warm_up_s=0)
    assert [(run.scenario, run.offered_per_s, run.verdict) for run in runs] == [
        ("sweep-40", 40, "passed"),
        ("sweep-80", 80, "passed"),
    ]
    run, delay = measure_delay(saga, find("consistency").lasting(1), warm_up_s=0)
    assert run.verdict == "passed", run.why
    assert delay is not None
    assert delay.samples > 0


def test_delay_of_cqrs_has_its_hops_and_the_price_of_a_fresh_read(cqrs: RunningStack) -> None:
    """The delay is split by hop, and reads with and without a position are timed apart."""
    run, delay = measure_delay(cqrs, find("consistency").lasting(1), warm_up_s=0)
    assert run.verdict == "passed", run.why
    assert delay is not None
    assert list(delay.hops_p50_ms) == ["published", "projected", "cached"]
    assert all(ms >= 0 for ms in delay.hops_p50_ms.values())
    assert 0 < sum(delay.hops_p50_ms.values()) < 1000
    assert delay.plain_read_ms
    assert delay.fresh_read_ms


def test_what_cannot_be_carried_out_says_why(saga: RunningStack) -> None:
    """If k6 does not know a scenario, the run is not-run with a reason, and the lab does not crash."""
    run = run_scenario(saga, replace(find("hot-pair"), script="unheard-of"), warm_up_s=0)
    assert run.verdict == "not-run"
    assert "SCENARIO=unheard-of is none of" in run.why


@pytest.mark.parametrize("architecture", ["saga", "cqrs"])
def test_seeded_wallets_are_as_good_as_opened_ones(architecture: str, request: pytest.FixtureRequest) -> None:
    """If wallets are seeded once or twice, the audit passes and readers see their balances."""
    stack: RunningStack = request.getfixturevalue(architecture)
    names = [f"seeded-{number}" for number in range(500)]
    for _ in range(2):
        asyncio.run(seed(stack, names, 7_000_000))
    assert asyncio.run(wait_for_quiescence(stack)) is not None
    assert violations(asyncio.run(audit_books(stack))) == []
    assert asyncio.run(_held(stack, names)) == [7_000_000] * 500


async def _held(stack: RunningStack, names: list[str]) -> list[int]:
    table = "wallets" if stack.architecture == "saga" else "read_model.wallets"
    held = []
    for url in stack.database_urls:
        connection = await asyncpg.connect(url)
        held += await connection.fetch(
            f"SELECT balance_micros FROM {table} WHERE account_id = ANY($1)", names
        )
        await connection.close()
    return [micros for (micros,) in held]


@dataclass(frozen=True)
class Plant:
    """A violation, made in a transaction that is rolled back, and rules that must find it."""

    sql: str
    broken: set[str]
    component: str = "postgres-0"

    def __str__(self) -> str:
        return self.sql.split(";")[-1].strip()[:60]


CACHE = WALLETS = "every stored wallet is the fold of its postings"
POSTED = "every transfer has exactly its postings"
CONSERVED = "money is conserved"
SYSTEM = "system accounts are the other side of every posting"
BALANCES = "every stored balance is the sum of its postings"
TIMES = "times are those of the run"
OWED = "every transfer in the books was sent once"
BARRIER = "the credit barrier agrees with every transfer"
ACKNOWLEDGED = "every acknowledged transfer is in the books once"
EXPECTED = "every balance follows from the answers of its clients"

SOME = "(SELECT account_id FROM wallets WHERE status = 'active' AND balance_micros > 0 ORDER BY 1 LIMIT 1)"
COMPLETED = "(SELECT transfer_id FROM transfers WHERE kind = 'transfer' AND state = 'completed' LIMIT 1)"
OPEN_LEDGER = "ALTER TABLE ledger DISABLE TRIGGER USER; ALTER TABLE credits DISABLE TRIGGER USER; "
LAST = f"(account_id, version) = (SELECT account_id, version FROM wallets WHERE account_id = {SOME})"
POST = f"""{OPEN_LEDGER}WITH changed AS (
    UPDATE wallets SET balance_micros = balance_micros + 900000000000, version = version + 1
    WHERE account_id = {SOME} RETURNING *
) INSERT INTO ledger (account_id, version, kind, transfer_id, amount_micros, balance_micros, counterparty, at)
SELECT account_id, version, 'KIND', gen_random_uuid(), 900000000000, balance_micros, 'PARTY', updated_at FROM changed;
UPDATE system_accounts SET balance_micros = balance_micros - 900000000000 WHERE name = 'ACCOUNT' AND currency = 'USD'"""

SAGA_PLANTS = [
    Plant(f"UPDATE wallets SET balance_micros = balance_micros + 1 WHERE account_id = {SOME}", {WALLETS}),
    Plant(f"UPDATE wallets SET version = version + 1 WHERE account_id = {SOME}", {WALLETS}),
    Plant(f"UPDATE wallets SET status = 'frozen' WHERE account_id = {SOME}", {WALLETS}),
    Plant(
        POST.replace("KIND", "transfer").replace("PARTY", "load-1").replace("ACCOUNT", "@transit"),
        {POSTED, CONSERVED, EXPECTED},
    ),
    Plant(
        POST.replace("KIND", "deposit").replace("PARTY", "@external").replace("ACCOUNT", "@external"),
        {POSTED, EXPECTED},
    ),
    Plant(f"{OPEN_LEDGER}UPDATE ledger SET balance_micros = balance_micros + 1 WHERE {LAST}", {BALANCES}),
    Plant(f"{OPEN_LEDGER}UPDATE ledger SET at = at + interval '900 years' WHERE {LAST}", {TIMES}),
    Plant(
        f"UPDATE transfers SET to_account = 'load-0', currency = 'EUR' WHERE transfer_id = {COMPLETED}",
        {ACKNOWLEDGED, POSTED},
    ),
    Plant(
        f"UPDATE transfers SET state = 'debited', ended_at = NULL WHERE transfer_id = {COMPLETED}",
        {"all work has ended", ACKNOWLEDGED},
    ),
    Plant(
        f"UPDATE transfers SET amount_micros = amount_micros + 1 WHERE transfer_id = {COMPLETED}",
        {POSTED, ACKNOWLEDGED},
    ),
    Plant(
        f"{OPEN_LEDGER}DELETE FROM credits WHERE ctid = (SELECT ctid FROM credits WHERE reason IS NULL LIMIT 1)",
        {BARRIER},
    ),
    Plant(
        f"{OPEN_LEDGER}UPDATE credits SET reason = NULL WHERE ctid = "
        "(SELECT ctid FROM credits WHERE reason IS NOT NULL LIMIT 1)",
        {BARRIER},
    ),
    Plant("ALTER TABLE credits SET UNLOGGED", {"servers store acknowledged data durably"}),
]


FIRST_OPENING = "(SELECT transaction_id FROM decisions WHERE kind = 'opening' LIMIT 1)"
ONE_TRANSFER = "(SELECT transaction_id FROM decisions WHERE kind = 'transfer' AND reason IS NULL LIMIT 1)"
OPEN_LOG = "ALTER TABLE events DISABLE TRIGGER USER; ALTER TABLE decisions DISABLE TRIGGER USER; "
LISTED = "every listed posting is one of the books"
LOG = "positions have no gaps and follow the versions"
A_SHARD = "postgres-read-0"

CQRS_PLANTS = [
    Plant(
        f"{OPEN_LOG}UPDATE decisions SET amount_micros = amount_micros + 1 WHERE transaction_id = {FIRST_OPENING}",
        {POSTED},
        EVENT_STORE,
    ),
    Plant(
        f"{OPEN_LOG}UPDATE events SET data = convert_to(replace(convert_from(data, 'UTF8'), ':10000,', ':9' || "
        f"repeat('0', 17) || ','), 'UTF8') WHERE transaction_id = {ONE_TRANSFER} AND type = 'BalanceDebited'",
        {POSTED, CONSERVED, WALLETS, LISTED, EXPECTED, SYSTEM},
        EVENT_STORE,
    ),
    Plant("UPDATE log_head SET position = position + 1", {LOG, "all work has ended"}, EVENT_STORE),
    Plant(
        f"{OPEN_LOG}UPDATE events SET version = version + 1 WHERE (stream_id, version) = "
        "(SELECT stream_id, max(version) FROM events GROUP BY stream_id HAVING count(*) > 1 LIMIT 1)",
        {"versions have no gaps", WALLETS},
        EVENT_STORE,
    ),
    Plant(
        f"{OPEN_LOG}UPDATE events SET at = at + interval '900 years' WHERE transaction_id = {ONE_TRANSFER}",
        {TIMES, LISTED},
        EVENT_STORE,
    ),
    Plant(
        f"{OPEN_LOG}DELETE FROM decisions WHERE transaction_id = {ONE_TRANSFER}",
        {ACKNOWLEDGED, POSTED},
        EVENT_STORE,
    ),
    Plant(
        f"{OPEN_LOG}UPDATE decisions SET idempotency_key = NULL, fingerprint = NULL, "
        f"transaction_id = gen_random_uuid() WHERE transaction_id = {ONE_TRANSFER}",
        {ACKNOWLEDGED, OWED, POSTED},
        EVENT_STORE,
    ),
    Plant("UPDATE read_model.checkpoint SET stopped = 'poison'", {"all work has ended"}, A_SHARD),
    Plant(
        "UPDATE read_model.wallets SET updated_at = updated_at + interval '1 microsecond' WHERE account_id = "
        "(SELECT account_id FROM read_model.wallets LIMIT 1)",
        {WALLETS},
        A_SHARD,
    ),
    Plant(
        "DELETE FROM read_model.postings WHERE ctid = (SELECT ctid FROM read_model.postings LIMIT 1)",
        {LISTED},
        A_SHARD,
    ),
    Plant(
        "UPDATE read_model.system_accounts SET balance_micros = balance_micros + 1 WHERE name = '@external'",
        {SYSTEM, CONSERVED},
        A_SHARD,
    ),
    Plant(
        "UPDATE read_model.checkpoint SET epoch = gen_random_uuid()",
        {"every follower has the epoch of the log"},
        A_SHARD,
    ),
]


class Undo(Exception):
    """Rolls back a session."""


def clients_record(folder: Path) -> Evidence:
    """The calls and the baseline of kept evidence, without the rows of the databases."""
    evidence = Evidence.empty()
    evidence.add_clients(folder)
    return evidence


async def found(stack: RunningStack, plant: Plant, folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the rules that fail while the violation exists; afterwards it is rolled back."""
    names: set[str] = set()
    url, connected = stack.client_url(plant.component), extraction._connected
    session = await asyncpg.connect(url)

    @asynccontextmanager
    async def through_the_session(wanted: str) -> AsyncIterator[asyncpg.Connection]:
        async with nullcontext(session) if wanted == url else connected(wanted) as connection:
            yield connection

    monkeypatch.setattr(extraction, "_connected", through_the_session)
    with suppress(Undo):
        async with session.transaction(isolation="repeatable_read"):
            await session.execute(plant.sql)
            names = broken(await audit(stack, clients_record(folder), 0.0))
            raise Undo
    await session.close()
    return names


@pytest.mark.parametrize("plant", SAGA_PLANTS, ids=str)
def test_a_breach_of_the_saga_is_found(
    saga: RunningStack, saga_run: Run, kept: Path, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each violation in the saga's databases fails the rules that it breaks."""
    assert saga_run.verdict == "passed"
    assert plant.broken <= asyncio.run(found(saga, plant, kept / "saga", monkeypatch))


@pytest.mark.parametrize("plant", CQRS_PLANTS, ids=str)
def test_a_breach_of_cqrs_is_found(
    cqrs: RunningStack, cqrs_run: Run, kept: Path, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each violation in the databases of cqrs fails the rules that it breaks."""
    assert cqrs_run.verdict == "passed"
    assert plant.broken <= asyncio.run(found(cqrs, plant, kept / "cqrs", monkeypatch))


@pytest.mark.parametrize("architecture", ["saga", "cqrs"])
def test_a_database_without_fsync_fails_the_audit(
    architecture: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a server reports fsync = off, the audit fails."""
    stack: RunningStack = request.getfixturevalue(architecture)
    unsafe = extraction._DURABILITY.replace(
        "name, setting FROM", "name, CASE name WHEN 'fsync' THEN 'off' ELSE setting END FROM"
    )
    monkeypatch.setattr(extraction, "_DURABILITY", unsafe)
    assert broken(asyncio.run(audit_books(stack))) == {"servers store acknowledged data durably"}


@pytest.mark.parametrize("architecture", ["saga", "cqrs"])
def test_a_wrong_entry_of_the_cache_is_found(architecture: str, request: pytest.FixtureRequest) -> None:
    """A cache entry that is newer than the truth, or of an unknown wallet, fails the audit."""
    stack: RunningStack = request.getfixturevalue(architecture)
    asyncio.run(seed(stack, ["hot-payer", "hot-sink"], 10**12))
    for name in ("hot-payer", "nobody"):
        with cached(stack, name, 999_999, 9_000):
            assert CACHE in broken(asyncio.run(audit_books(stack)))
    assert broken(asyncio.run(audit_books(stack))) == set()


@pytest.mark.parametrize(("architecture", "ttl_ms"), [("saga", 9_000), ("cqrs", 60_000), ("cqrs", None)])
def test_an_old_entry_of_the_cache_is_found(
    architecture: str, ttl_ms: int | None, request: pytest.FixtureRequest
) -> None:
    """A false or lasting cache entry fails the audit."""
    stack: RunningStack = request.getfixturevalue(architecture)
    asyncio.run(seed(stack, ["hot-payer", "hot-sink"], 10**12))
    asyncio.run(wait_for_quiescence(stack))
    time.sleep(0.5)  # the services write the cache just after the commit
    with cached(stack, "hot-payer", 1, ttl_ms):
        assert CACHE in broken(asyncio.run(audit_books(stack)))


@contextmanager
def cached(stack: RunningStack, name: str, version: int, ttl_ms: int | None) -> Iterator[None]:
    """Show a wallet with a false balance in Redis."""
    wallet = {"accountId": name, "currency": "USD", "balance": 1.5, "version": version, "status": "active"}
    body = json.dumps(wallet | {"lastUpdated": "2026-01-01T00:00:00.000000Z"})
    prefix, middle = ("wallet", "") if stack.architecture == "saga" else ("balance", " - 0")
    with redis.Redis.from_url(stack.client_url("redis")) as cache:
        cache.set(f"{prefix}:{name}", f"{version}{middle} {body}", px=ttl_ms)
        yield
        cache.delete(f"{prefix}:{name}")


@pytest.fixture
def lab(saga: NativeStack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command line, with the saga as the running stack."""
    monkeypatch.setenv("WALLET_LAB_HOME", str(saga.home))
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_the_commands_measure_and_audit_what_is_up(
    lab: Callable[..., Any], saga: RunningStack, tmp_path: Path
) -> None:
    """`bench` writes figures and evidence and leaves the stack up; `audit` reports the result of each check."""
    out = tmp_path / "results.json"
    measured = lab("bench", "saga", "--scenario", "uniform-1k", "--duration", "1", "--out", str(out))
    assert (measured.exit_code, "acknowledged/s" in measured.output) == (0, True), measured.output
    assert [run.verdict for run in msgspec.json.decode(out.read_bytes(), type=Results).runs] == ["passed"]
    assert (tmp_path / "results-evidence" / "uniform-1k-1" / "calls.parquet").exists()
    audited = lab("audit", "saga")
    assert audited.exit_code == 0
    assert "money is conserved" in audited.output
    assert "There is no record of calls, so only the books in themselves were checked." in audited.output
    kept = lab("audit", "--evidence", str(tmp_path / "results-evidence" / "uniform-1k-1"))
    assert (kept.exit_code, "limit" in kept.output) == (0, False), kept.output


def test_an_audit_that_finds_a_breach_fails(lab: Callable[..., Any], saga: RunningStack) -> None:
    """If an audit finds a violation, it exits with 1, prints a sentence, and reports it in the JSON object."""
    with redis.Redis.from_url(saga.client_url("redis")) as cache:
        cache.set("wallet:nobody", b'1 {"balance":1}', px=20_000)
        printed, as_object = lab("audit", "saga"), lab("audit", "saga", "--json")
        cache.delete("wallet:nobody")
    assert (printed.exit_code, as_object.exit_code) == (1, 1)
    assert "cache shows wallet nobody" in printed.output
    assert msgspec.json.decode(as_object.output, type=Audit).passed is False


def test_an_audit_compares_the_books_with_a_log_of_calls(lab: Callable[..., Any], tmp_path: Path) -> None:
    """If an acknowledged call is missing from the books, the audit fails."""
    record, answer = tmp_path / "record", '{"status":"success","transactionId":"01a2"}'
    sent = "1 hot-pair transfer 1.5 2.5 1.000 201 success   unheardof-hot-pair-1-0 /wallets/balanceTransfer"
    body = '{"fromAccount":"a","toAccount":"b","amount":1,"currency":"USD"}'
    record.write_text(f"clock\t1764000000000\ncall {sent} {body} {answer}\n".replace(" ", "\t"))
    audited = lab("audit", "saga", "--calls", str(record))
    assert audited.exit_code == 1
    assert "call 2 (transfer" in audited.output
    assert (
        "key unheardof-hot-pair-1-0, answered 201 success for 01a2), but the books have no such"
        in audited.output
    )
    assert (
        "There is no baseline, so the postings from before 2025-11-24 16:00:00 UTC were taken"
        in audited.output
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("audit", "cqrs"), "cqrs is not up"),
        (("audit", "else"), "there is no architecture 'else'"),
        (("bench", "else"), "there is no architecture 'else'"),
        (("bench", "saga", "--scenario", "else"), "there is no scenario 'else'; there are: normal"),
        (("bench", "saga", "--out", "/proc"), "the results cannot be written to /proc: Is a directory"),
        (("bench", "noop", "--scenario", "consistency"), "noop moves no money"),
        (("bench", "saga", "--profile", "/proc"), "/proc is not empty"),
        (("bench", "saga", "--profile", "p", "--out", "o"), "--profile disturbs the run, so --out"),
        (("bench", "saga", "--profile", "p", "--on", "docker"), "--profile works only with native processes"),
        (("bench", "saga", "--profile", "p", "--repeats", "2"), "--profile has the samples of one run"),
        (("audit", "saga", "--calls", "/nowhere"), "/nowhere is not a record of calls: "),
        (("audit", "saga", "--calls", "/dev/null"), "/dev/null contains no calls"),
    ],
)
def test_a_wrong_word_is_explained(lab: Callable[..., Any], arguments: tuple[str, ...], said: str) -> None:
    """If an argument is wrong, the error names the valid values."""
    assert said in str(lab(*arguments).exception)


@pytest.mark.parametrize(
    "number",
    # After SIGTERM, Postgres runs until its clients leave, but accepts no new ones.
    [signal.SIGTERM, signal.SIGSTOP],
    ids=["shutting down", "paused"],
)
def test_an_audit_of_a_stack_whose_database_does_not_answer_is_a_sentence(
    saga: NativeStack, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """If Postgres is shutting down or paused, `audit` names it soon, without a traceback."""
    monkeypatch.setenv("WALLET_LAB_HOME", str(saga.home))
    saga.kill("postgres-0", number)
    try:
        refused = CliRunner().invoke(app, ["audit", "saga"])
    finally:
        saga.kill("postgres-0", signal.SIGCONT)
        pid = saga.kill("postgres-0", signal.SIGINT)
        saga.wait_restarted("postgres-0", pid)
        saga.wait_ready(timeout_s=120)
    assert isinstance(refused.exception, LabError)
    said = "saga cannot be audited, because of components that do not answer: postgres-0"
    assert str(refused.exception) == said
