"""Bench and audit on real stacks: a run has all figures, and the audit finds every planted violation."""
# ruff: noqa: S608 -- all SQL consists of constants of this file

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
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
from wallet_lab.audit.books import audit_stack
from wallet_lab.audit.cache import NAME as CACHE
from wallet_lab.audit.cqrs import check_databases
from wallet_lab.audit.questions import violations
from wallet_lab.audit.saga import check_shards
from wallet_lab.audit.sessions import looking_at
from wallet_lab.cli import app
from wallet_lab.errors import LabError
from wallet_lab.record.reader import read_record
from wallet_lab.report.model import Audit, Check, Run
from wallet_lab.stack.backlog import wait_for_quiescence
from wallet_lab.stack.native import NativeStack, running_stack
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.command import Results
from wallet_lab.workload.k6 import run_k6
from wallet_lab.workload.run import measure_delay, run_scenario, run_sweep, seed
from wallet_lab.workload.scenarios import find

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
def saga_run(saga: RunningStack) -> Run:
    """A run in which some transfers succeed, some are refused at once, and some are compensated."""
    return run_scenario(saga, find("refusals").lasting(SHORT_S), warm_up_s=0)


@pytest.fixture(scope="module")
def cqrs_run(cqrs: RunningStack) -> Run:
    """A run of cqrs with the same scenario."""
    return run_scenario(cqrs, find("refusals").lasting(SHORT_S), warm_up_s=0)


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
        load = run_k6(asked, noop.base_url, run="asked", folder=tmp_path)
    except LabError as error:
        raise AssertionError(str(error)) from None
    with duckdb.connect() as database:
        calls = read_record(database, load.record, requests=load.summary.requests)
    assert {call.key.split("-")[-2] for call in calls} == {str(number) for number in range(1, 9)}
    assert load.elapsed_s > 2


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
    assert violations(asyncio.run(audit_stack(stack))) == []
    assert asyncio.run(_held(stack, names)) == [7_000_000] * 500


async def _held(stack: RunningStack, names: list[str]) -> list[int]:
    table = "wallets" if stack.architecture == "saga" else "read_model.wallets"
    sql = f"SELECT balance_micros FROM {table} WHERE account_id = ANY($1)"
    async with looking_at(stack.database_urls) as shards:
        return [micros for shard in shards for (micros,) in await shard.fetch(sql, names)]


@dataclass(frozen=True)
class Plant:
    """A violation, made in a transaction that is rolled back, and the checks that must find it."""

    sql: str
    broken: set[str]
    database: int = 0

    def __str__(self) -> str:
        return self.sql.split(";")[-1].strip()[:60]


SOME = "(SELECT account_id FROM wallets WHERE status = 'active' AND balance_micros > 0 ORDER BY 1 LIMIT 1)"
COMPLETED = "(SELECT transfer_id FROM transfers WHERE kind = 'transfer' AND state = 'completed' LIMIT 1)"
OPEN_LEDGER = "ALTER TABLE ledger DISABLE TRIGGER USER; ALTER TABLE credits DISABLE TRIGGER USER; "

SAGA_PLANTS = [
    Plant(
        f"UPDATE wallets SET balance_micros = balance_micros + 1 WHERE account_id = {SOME}",
        {"money is conserved", "every balance is the sum of its postings"},
    ),
    Plant(
        "ALTER TABLE wallets DROP CONSTRAINT wallets_balance_micros_check;"
        f"UPDATE wallets SET balance_micros = -1 WHERE account_id = {SOME}",
        {"money is conserved", "every balance is the sum of its postings", "no wallet is below zero"},
    ),
    Plant(
        f"UPDATE wallets SET version = version + 1 WHERE account_id = {SOME}",
        {"versions are contiguous"},
    ),
    Plant(
        f"{OPEN_LEDGER}UPDATE ledger SET balance_micros = balance_micros + 1 WHERE account_id = {SOME} AND version = 1",
        {"every balance is explained at any past moment"},
    ),
    Plant(
        f"UPDATE transfers SET state = 'debited', ended_at = NULL WHERE transfer_id = {COMPLETED}",
        {"every saga has ended", "money in flight is that of open sagas"},
    ),
    Plant(
        f"UPDATE transfers SET amount_micros = amount_micros + 1 WHERE transfer_id = {COMPLETED}",
        {"every transfer is posted as it ended", "both sides of a transfer agree"},
    ),
    Plant(
        # Of a payer on the other shard: a row in this shard's saga log would still explain the posting.
        f"{OPEN_LEDGER}DELETE FROM credits WHERE ctid = (SELECT ctid FROM credits WHERE reason IS NULL"
        " AND transfer_id NOT IN (SELECT transfer_id FROM transfers) LIMIT 1)",
        {"every posting belongs to a transfer", "both sides of a transfer agree"},
    ),
    Plant(
        f"{OPEN_LEDGER}UPDATE credits SET reason = NULL WHERE ctid = "
        "(SELECT ctid FROM credits WHERE reason IS NOT NULL LIMIT 1)",
        {"every credit is posted as the barrier says"},
    ),
]


FIRST_OPENING = "(SELECT transaction_id FROM decisions WHERE kind = 'opening' LIMIT 1)"
ONE_TRANSFER = "(SELECT transaction_id FROM decisions WHERE kind = 'transfer' AND reason IS NULL LIMIT 1)"
OPEN_LOG = "ALTER TABLE events DISABLE TRIGGER USER; ALTER TABLE decisions DISABLE TRIGGER USER; "
FOLD = "the read model is the fold of the events"
DECISIONS = "every decision is what its events say"
A_SHARD = 1

CQRS_PLANTS = [
    Plant(
        f"{OPEN_LOG}UPDATE decisions SET amount_micros = amount_micros + 1 WHERE transaction_id = {FIRST_OPENING}",
        {"money is conserved", DECISIONS},
    ),
    Plant(
        f"{OPEN_LOG}UPDATE events SET data = convert_to(replace(convert_from(data, 'UTF8'), ':10000,', ':9' || "
        f"repeat('0', 17) || ','), 'UTF8') WHERE transaction_id = {ONE_TRANSFER} AND type = 'BalanceDebited'",
        {"no wallet is below zero", "money is conserved", DECISIONS, FOLD},
    ),
    Plant("UPDATE log_head SET position = position + 1", {"positions are contiguous"}),
    Plant(
        f"{OPEN_LOG}UPDATE events SET version = version + 1 WHERE (stream_id, version) = "
        "(SELECT stream_id, max(version) FROM events GROUP BY stream_id HAVING count(*) > 1 LIMIT 1)",
        {"versions are contiguous", FOLD},
    ),
    Plant(
        f"{OPEN_LOG}UPDATE events SET at = at - interval '1 day' WHERE transaction_id = {ONE_TRANSFER}",
        {"no wallet's time runs backwards", FOLD},
    ),
    Plant(
        f"{OPEN_LOG}DELETE FROM decisions WHERE transaction_id = {ONE_TRANSFER}",
        {"every event was decided"},
    ),
    Plant("UPDATE read_model.checkpoint SET stopped = 'poison'", {"no projection stands still"}, A_SHARD),
    Plant(
        "UPDATE read_model.wallets SET balance_micros = balance_micros + 1 WHERE account_id = "
        "(SELECT account_id FROM read_model.wallets LIMIT 1)",
        {FOLD},
        A_SHARD,
    ),
    Plant(
        "DELETE FROM read_model.postings WHERE ctid = (SELECT ctid FROM read_model.postings LIMIT 1)",
        {FOLD},
        A_SHARD,
    ),
]

Databases = list[asyncpg.Connection]


class Undo(Exception):
    """Rolls back every session."""


async def found(
    urls: Sequence[str], plant: Plant, check: Callable[[Databases], Awaitable[list[Check]]]
) -> set[str]:
    """Return the failed checks while the violation exists; afterwards it is rolled back."""
    names: set[str] = set()
    with suppress(Undo):
        async with looking_at(urls) as databases:
            await databases[plant.database].execute(plant.sql)
            names = broken(await check(databases))
            raise Undo
    return names


@pytest.mark.parametrize("plant", SAGA_PLANTS, ids=str)
def test_a_breach_of_the_saga_is_found(saga: RunningStack, saga_run: Run, plant: Plant) -> None:
    """Each violation in the saga's databases fails exactly the checks of the rules that it breaks."""
    assert saga_run.verdict == "passed"
    assert asyncio.run(found(saga.database_urls, plant, check_shards)) == plant.broken


@pytest.mark.parametrize("plant", CQRS_PLANTS, ids=str)
def test_a_breach_of_cqrs_is_found(cqrs: RunningStack, cqrs_run: Run, plant: Plant) -> None:
    """Each violation in the databases of cqrs fails exactly the checks of the rules that it breaks."""
    assert cqrs_run.verdict == "passed"
    urls = [cqrs.client_url(EVENT_STORE), *cqrs.database_urls]
    assert asyncio.run(found(urls, plant, lambda all_: check_databases(all_[0], all_[1:]))) == plant.broken


@pytest.mark.parametrize(("architecture", "plants"), [("saga", SAGA_PLANTS), ("cqrs", CQRS_PLANTS)])
def test_no_check_is_left_unproven(
    architecture: str, plants: list[Plant], request: pytest.FixtureRequest
) -> None:
    """For every check of the databases, a planted violation above proves that it can fail."""
    stack: RunningStack = request.getfixturevalue(architecture)
    checks = {check.name for check in asyncio.run(audit_stack(stack))} - {CACHE}
    assert set().union(*(plant.broken for plant in plants)) == checks


@pytest.mark.parametrize("architecture", ["saga", "cqrs"])
def test_a_wrong_entry_of_the_cache_is_found(architecture: str, request: pytest.FixtureRequest) -> None:
    """A cache entry that is newer than the truth, or of an unknown wallet, fails the audit."""
    stack: RunningStack = request.getfixturevalue(architecture)
    body = b'{"accountId":"hot-payer","currency":"USD","balance":1.5,"version":9}'
    with redis.Redis.from_url(stack.client_url("redis")) as cache:
        for name in ("hot-payer", "nobody"):
            cache.set(f"wallet:{name}", b"999999 0 " + body, px=20_000)
            assert broken(asyncio.run(audit_stack(stack))) == {CACHE}
            cache.delete(f"wallet:{name}")
    assert broken(asyncio.run(audit_stack(stack))) == set()


@pytest.mark.parametrize(
    ("architecture", "ttl_ms", "passes"),
    [("saga", 5_000, False), ("cqrs", 9_000, True), ("cqrs", 60_000, False), ("cqrs", None, False)],
)
def test_an_old_entry_passes_only_where_it_is_a_hint_that_runs_out(
    architecture: str, ttl_ms: int | None, passes: bool, request: pytest.FixtureRequest
) -> None:
    """An outdated cache entry fails the saga's audit. In cqrs it passes if it expires within seconds."""
    stack: RunningStack = request.getfixturevalue(architecture)
    asyncio.run(seed(stack, ["hot-payer", "hot-sink"], 10**12))
    with redis.Redis.from_url(stack.client_url("redis")) as cache:
        cache.set("wallet:hot-payer", b'0 0 {"balance":7}', px=ttl_ms)
        found = broken(asyncio.run(audit_stack(stack)))
        cache.delete("wallet:hot-payer")
    assert found == (set() if passes else {CACHE})


@pytest.fixture
def lab(saga: NativeStack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command line, with the saga as the running stack."""
    monkeypatch.setenv("WALLET_LAB_HOME", str(saga.home))
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_the_commands_measure_and_audit_what_is_up(
    lab: Callable[..., Any], saga: RunningStack, tmp_path: Path
) -> None:
    """`bench` writes its measurements and leaves the stack up; `audit` reports the result of each check."""
    out = tmp_path / "results.json"
    measured = lab("bench", "saga", "--scenario", "uniform-1k", "--duration", "1", "--out", str(out))
    assert (measured.exit_code, "acknowledged/s" in measured.output) == (0, True), measured.output
    assert [run.verdict for run in msgspec.json.decode(out.read_bytes(), type=Results).runs] == ["passed"]
    audited = lab("audit", "saga")
    assert audited.exit_code == 0
    assert "money is conserved" in audited.output


def test_an_audit_that_finds_a_breach_fails(lab: Callable[..., Any], saga: RunningStack) -> None:
    """If an audit finds a violation, it exits with 1, prints a sentence, and reports it in the JSON object."""
    with redis.Redis.from_url(saga.client_url("redis")) as cache:
        cache.set("wallet:nobody", b'1 0 {"balance":1}', px=20_000)
        told, as_object = lab("audit", "saga"), lab("audit", "saga", "--json")
        cache.delete("wallet:nobody")
    assert (told.exit_code, as_object.exit_code) == (1, 1)
    assert "Redis shows nobody" in told.output
    assert msgspec.json.decode(as_object.output, type=Audit).passed is False


def test_an_audit_compares_the_books_with_a_log_of_calls(lab: Callable[..., Any], tmp_path: Path) -> None:
    """If an acknowledged call is missing from the books, the audit fails."""
    record, answer = tmp_path / "record", '{"status":"success","transactionId":"01a2"}'
    sent = "1 hot-pair transfer 1.5 2.5 1.000 201 success   unheardof-hot-pair-1-0 /wallets/balanceTransfer"
    record.write_text(f"clock\t1764000000000\ncall {sent}  {answer}\n".replace(" ", "\t"))
    audited = lab("audit", "saga", "--calls", str(record))
    assert audited.exit_code == 1
    assert "unheardof-hot-pair-1-0 was acknowledged as 01a2; the books have nothing" in audited.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("audit", "cqrs"), "cqrs is not up"),
        (("audit", "else"), "there is no architecture 'else'"),
        (("bench", "else"), "there is no architecture 'else'"),
        (("bench", "saga", "--scenario", "else"), "there is no scenario 'else'; there are: normal"),
        (("bench", "saga", "--out", "/proc"), "the results cannot be written to /proc: Is a directory"),
        (("bench", "noop", "--scenario", "consistency"), "noop moves no money"),
        (("audit", "saga", "--calls", "/nowhere"), "/nowhere is not a record of calls: "),
        (("audit", "saga", "--calls", "/dev/null"), "/dev/null contains no calls"),
    ],
)
def test_a_wrong_word_is_explained(lab: Callable[..., Any], arguments: tuple[str, ...], said: str) -> None:
    """If an argument is wrong, the error names the valid values."""
    assert said in str(lab(*arguments).exception)


def test_an_audit_of_a_stack_whose_database_shuts_down_is_a_sentence(
    saga: NativeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If Postgres is shutting down, `audit` reports that it does not answer, without a traceback."""
    monkeypatch.setenv("WALLET_LAB_HOME", str(saga.home))
    saga.kill("postgres-0", signal.SIGTERM)  # it runs until its clients leave, but accepts no new ones
    try:
        refused = CliRunner().invoke(app, ["audit", "saga"])
    finally:
        pid = saga.kill("postgres-0", signal.SIGINT)
        saga.wait_restarted("postgres-0", pid)
        saga.wait_ready(timeout_s=120)
    assert isinstance(refused.exception, LabError)
    assert "saga cannot be audited, because a database or the cache does not answer" in str(refused.exception)
