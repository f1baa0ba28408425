"""Compares the worker with a model in plain Python: same outcomes, same balances, same ledger.

The tests run the worker from BatchWriter down: decisions, SQL, a migrated Postgres, and a real Redis. The model is
written from the contract, not from the code. WALLET_MODEL_EXAMPLES=2000 tries more examples, with random seeds.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from saga_support.scene import ONE_SHARD

from wallet_kernel.accounts import EXTERNAL, TRANSIT
from wallet_kernel.idempotency import fingerprint
from wallet_kernel.money import AMOUNT_MAX_MICROS
from wallet_kernel.refusals import Refusal
from wallet_lab.testing import PostgresServer, running_redis
from wallet_saga.balance_cache import cache_key
from wallet_saga.domain.commands import (
    ChangeStatus,
    CloseWallet,
    Command,
    CompleteTransfer,
    CreditWallet,
    DebitWallet,
    Deposit,
    Done,
    Ended,
    Flush,
    InFlight,
    OpenWallet,
    Outcome,
    ReadWallet,
    RefundTransfer,
    Refused,
    Replayed,
    WalletState,
    Withdraw,
)
from wallet_saga.worker import statements
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.cache import BalanceCache
from wallet_saga.worker.known_rows import RecentRows
from wallet_saga.worker.store import Store, _credit, _transfer

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("WALLET_MODEL_EXAMPLES", "0"))
bounded = settings(
    max_examples=EXAMPLES or 40,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

Logged = DebitWallet | OpenWallet | Deposit | Withdraw


class Posting(NamedTuple):
    """One version of a wallet in the model's ledger."""

    kind: str
    amount: int
    balance: int
    transaction_id: UUID | None


@dataclass
class ModelWallet:
    """A wallet of the model: its balance, its status and its postings."""

    currency: str
    status: str = "active"
    balance: int = 0
    in_flight: int = 0
    history: list[Posting] = field(default_factory=list)

    def enter(self, kind: str, amount: int, transaction_id: UUID | None) -> None:
        self.balance += amount
        self.history.append(Posting(kind, amount, self.balance, transaction_id))

    def shown(self) -> tuple[object, ...]:
        return ("wallet", self.currency, self.status, self.balance, self.in_flight, len(self.history))


@dataclass
class ModelTransfer:
    """A row of the model's saga log."""

    first: Logged
    state: str
    reason: Refusal | None = None


@dataclass
class Model:
    """One shard that behaves as the contract demands."""

    wallets: dict[str, ModelWallet] = field(default_factory=dict)
    log: dict[UUID, ModelTransfer] = field(default_factory=dict)
    keys: dict[tuple[str, str], UUID] = field(default_factory=dict)
    barrier: dict[UUID, Refusal | None] = field(default_factory=dict)
    system: Counter[tuple[str, str]] = field(default_factory=Counter)

    def apply(self, step: Command) -> tuple[object, ...]:
        """Applies a step and returns the outcome that the contract demands, without times."""
        match step:
            case DebitWallet() | OpenWallet() | Deposit() | Withdraw():
                return self._once(step)
            case CreditWallet():
                return self._credit(step)
            case CompleteTransfer() | RefundTransfer():
                return self._end(step)
            case ChangeStatus() | CloseWallet() | ReadWallet():
                return self._status(step)
            case Flush():
                return ("done",)

    def _once(self, step: Logged) -> tuple[object, ...]:
        owner = _owner(step)
        known = self.log.get(step.transaction_id) or self.log.get(
            self.keys.get((owner, step.key or ""), UUID(int=0))
        )
        if known is not None:
            same_key = step.key is not None and known.first.key == step.key
            if same_key and known.first.fingerprint != step.fingerprint:
                return ("refused", Refusal.KEY_REUSED)
            return ("replayed", known.first.transaction_id, known.state, known.reason)
        reason = self._refusal(step)
        done = "debited" if isinstance(step, DebitWallet) else "completed"
        self.log[step.transaction_id] = ModelTransfer(step, "refused" if reason else done, reason)
        if step.key is not None:
            self.keys[owner, step.key] = step.transaction_id
        if reason:
            return ("refused", reason)
        outcome = self._do(step)
        return self._end_locally(step) if isinstance(step, DebitWallet) and step.is_local else outcome

    def _end_locally(self, debit: DebitWallet) -> tuple[object, ...]:
        """The other steps of the saga. A credit that is done leaves no row in the barrier."""
        self.apply(follow_up(debit, "credit"))
        reason = self.barrier[debit.transaction_id]
        self.apply(follow_up(debit, "refund", reason) if reason else follow_up(debit, "complete"))
        if reason is None:
            del self.barrier[debit.transaction_id]
        return ("ended", reason)

    def _refusal(self, step: Logged) -> Refusal | None:
        match step:
            case OpenWallet():
                return Refusal.WALLET_EXISTS if step.account_id in self.wallets else None
            case Deposit():
                return self._cannot_take(step.account_id, step.amount_micros, step.currency)
            case Withdraw():
                return self._cannot_pay(step.account_id, step.amount_micros, step.currency)
            case DebitWallet():
                return self._cannot_pay(step.from_account, step.amount_micros, step.currency)

    def _do(self, step: Logged) -> tuple[object, ...]:
        match step:
            case OpenWallet():
                wallet = self.wallets[step.account_id] = ModelWallet(step.currency)
                self._move(wallet, "opening", step.balance_micros, step.transaction_id, EXTERNAL)
                return wallet.shown()
            case Deposit():
                self._move(
                    self.wallets[step.account_id],
                    "deposit",
                    step.amount_micros,
                    step.transaction_id,
                    EXTERNAL,
                )
            case Withdraw():
                self._move(
                    self.wallets[step.account_id],
                    "withdrawal",
                    -step.amount_micros,
                    step.transaction_id,
                    EXTERNAL,
                )
            case DebitWallet():
                payer = self.wallets[step.from_account]
                payer.in_flight += step.amount_micros
                self._move(payer, "transfer", -step.amount_micros, step.transaction_id, TRANSIT)
        return ("done",)

    def _credit(self, step: CreditWallet) -> tuple[object, ...]:
        if step.transaction_id not in self.barrier:
            reason = self._cannot_take(step.to_account, step.amount_micros, step.currency)
            self.barrier[step.transaction_id] = reason
            if reason is None:
                payee = self.wallets[step.to_account]
                self._move(payee, "transfer", step.amount_micros, step.transaction_id, TRANSIT)
        reason = self.barrier[step.transaction_id]
        return ("refused", reason) if reason else ("done",)

    def _end(self, step: CompleteTransfer | RefundTransfer) -> tuple[object, ...]:
        transfer = self.log.get(step.transaction_id)
        if transfer is not None and transfer.state == "debited":
            assert isinstance(transfer.first, DebitWallet)
            payer = self.wallets[transfer.first.from_account]
            payer.in_flight -= transfer.first.amount_micros
            transfer.state = "completed"
            if isinstance(step, RefundTransfer):
                transfer.state, transfer.reason = "refunded", step.reason
                self._move(payer, "refund", transfer.first.amount_micros, step.transaction_id, TRANSIT)
        return ("done",)

    def _status(self, step: ChangeStatus | CloseWallet | ReadWallet) -> tuple[object, ...]:
        wallet = self.wallets.get(step.account_id)
        if wallet is None:
            return ("refused", Refusal.WALLET_NOT_FOUND)
        match step:
            case ChangeStatus() if wallet.status == "closed":
                return ("refused", Refusal.WALLET_CLOSED)
            case ChangeStatus() if (wallet.status == "frozen") != step.frozen:
                wallet.status = "frozen" if step.frozen else "active"
                wallet.enter("frozen" if step.frozen else "unfrozen", 0, None)
            case CloseWallet() if wallet.balance:
                return ("refused", Refusal.WALLET_NOT_EMPTY)
            case CloseWallet() if wallet.in_flight:
                return ("in flight",)
            case CloseWallet() if wallet.status != "closed":
                wallet.status = "closed"
                wallet.enter("closed", 0, None)
        return wallet.shown()

    def _cannot_pay(self, account: str, amount: int, currency: str) -> Refusal | None:
        if reason := self._cannot_move(account, currency):
            return reason
        return Refusal.INSUFFICIENT_FUNDS if self.wallets[account].balance < amount else None

    def _cannot_take(self, account: str, amount: int, currency: str) -> Refusal | None:
        if reason := self._cannot_move(account, currency):
            return reason
        wallet = self.wallets[account]
        room = AMOUNT_MAX_MICROS - wallet.balance - wallet.in_flight
        return Refusal.BALANCE_LIMIT if amount > room else None

    def _cannot_move(self, account: str, currency: str) -> Refusal | None:
        wallet = self.wallets.get(account)
        if wallet is None:
            return Refusal.WALLET_NOT_FOUND
        by_status = {"closed": Refusal.WALLET_CLOSED, "frozen": Refusal.WALLET_FROZEN}
        return by_status.get(wallet.status) or (
            Refusal.CURRENCY_MISMATCH if wallet.currency != currency else None
        )

    def _move(self, wallet: ModelWallet, kind: str, amount: int, transaction_id: UUID, against: str) -> None:
        wallet.enter(kind, amount, transaction_id)
        self.system[against, wallet.currency] -= amount


def _owner(step: Logged) -> str:
    return step.from_account if isinstance(step, DebitWallet) else step.account_id


def _as_model_outcome(outcome: Outcome) -> tuple[object, ...]:
    """Returns an outcome in the form of the model's outcomes."""
    match outcome:
        case InFlight():
            return ("in flight",)
        case Done():
            return ("done",)
        case Ended() | Refused():
            return ("ended" if isinstance(outcome, Ended) else "refused", outcome.reason)
        case Replayed():
            return (
                "replayed",
                outcome.transfer.transaction_id,
                outcome.transfer.state,
                outcome.transfer.reason,
            )
        case WalletState():
            return (
                "wallet",
                outcome.currency,
                outcome.status,
                outcome.balance_micros,
                outcome.in_flight_micros,
                outcome.version,
            )
    return ("unknown",)


@dataclass
class Bench:
    """A worker's parts on real servers, and the auditor's connection to the same database."""

    runner: asyncio.Runner
    writer: BatchWriter
    auditor: asyncpg.Connection
    redis: "Redis"

    def run(self, model: Model, batches: Sequence[Sequence[Command]]) -> None:
        """Sends every batch to the worker and to the model, and compares the books after each batch."""
        self.runner.run(self._run(model, batches))

    async def _run(self, model: Model, batches: Sequence[Sequence[Command]]) -> None:
        for batch in batches:
            outcomes = await self.writer.perform(batch)
            wanted = [model.apply(step) for step in batch]
            for step, outcome, want in zip(batch, outcomes, wanted, strict=True):
                assert _as_model_outcome(outcome) == want, step
            await self._compare(model)

    async def _compare(self, model: Model) -> None:
        names, currencies = list(model.wallets), list({wallet.currency for wallet in model.wallets.values()})
        await self._compare_wallets(model, names)
        await self._compare_ledger(model, names)
        await self._compare_log(model)
        await self._compare_system(model, currencies)
        await self._compare_memory(model)

    async def _compare_wallets(self, model: Model, names: list[str]) -> None:
        rows = await self.auditor.fetch("SELECT * FROM wallets WHERE account_id = ANY($1)", names)
        found = {row["account_id"]: ("wallet", *(row[name] for name in _WALLET)) for row in rows}
        assert found == {name: wallet.shown() for name, wallet in model.wallets.items()}
        entries: list[Any] = await self.redis.mget(map(cache_key, names)) if names else []
        for name, entry in zip(names, entries, strict=True):
            version = len(model.wallets[name].history)
            assert entry is None or entry.split(b" ")[0] == b"%d" % version, "the cache has another version"

    async def _compare_ledger(self, model: Model, names: list[str]) -> None:
        rows = await self.auditor.fetch(_LEDGER, names)
        found: dict[str, list[Posting]] = {name: [] for name in names}
        for row in rows:
            entries = found[row["account_id"]]
            entries.append(
                Posting(row["kind"], row["amount_micros"], row["balance_micros"], row["transfer_id"])
            )
            assert row["version"] == len(entries), "versions are not contiguous"
            assert row["folded"] == row["balance_micros"] >= 0, "the ledger's sum is not the balance"
            assert row["in_order"], "a later version of a wallet has an earlier time"
        assert found == {name: wallet.history for name, wallet in model.wallets.items()}

    async def _compare_log(self, model: Model) -> None:
        rows = await self.auditor.fetch(
            "SELECT transfer_id, state, reason FROM transfers WHERE transfer_id = ANY($1)", list(model.log)
        )
        logged = {key: (t.state, t.reason.value if t.reason else None) for key, t in model.log.items()}
        assert {row["transfer_id"]: (row["state"], row["reason"]) for row in rows} == logged
        rows = await self.auditor.fetch(
            "SELECT transfer_id, reason FROM credits WHERE transfer_id = ANY($1)", list(model.barrier)
        )
        assert {row["transfer_id"]: row["reason"] for row in rows} == model.barrier

    async def _compare_system(self, model: Model, currencies: list[str]) -> None:
        rows = await self.auditor.fetch("SELECT * FROM system_accounts WHERE currency = ANY($1)", currencies)
        found = {(row["name"], row["currency"]): int(row["balance_micros"]) for row in rows}
        assert found.items() >= {key: value for key, value in model.system.items() if value}.items()
        for currency in currencies:
            held = sum(wallet.balance for wallet in model.wallets.values() if wallet.currency == currency)
            outside = sum(value for (_, other), value in found.items() if other == currency)
            assert held + outside == 0, f"{currency} does not sum to zero"

    async def _compare_memory(self, model: Model) -> None:
        """Compares the rows in the worker's memory with those in the database, times included."""
        keys: list[list[Any]] = [list(model.wallets), list(model.log), [], [], list(model.barrier)]
        row = await self.auditor.fetchrow(statements.LOAD, *keys)
        wallets = {wallet[0]: WalletState(*wallet) for wallet in row["wallets"]}
        transfers = {transfer[0]: _transfer(transfer) for transfer in row["transfers"]}
        barrier = {credit[0]: _credit(credit) for credit in row["credits"]}
        assert set(wallets) == set(model.wallets)
        assert set(transfers) == set(model.log)
        known = self.writer._store._known
        tables: list[tuple[RecentRows[Any, Any], dict[Any, Any]]] = [
            (known._wallets, wallets),
            (known._transfers, transfers),
            (known._credits, barrier),
            (known._keys, {key: transfers[first] for key, first in model.keys.items()}),
        ]
        for rows, stored in tables:
            remembered = set(stored) if rows._rows_max > FORGETFUL else set(stored) & set(rows._rows)
            assert {key: rows._rows[key] for key in remembered} == {key: stored[key] for key in remembered}


_WALLET = ["currency", "status", "balance_micros", "in_flight_micros", "version"]
_LEDGER = """
SELECT *, sum(amount_micros) OVER (PARTITION BY account_id ORDER BY version) AS folded,
       at >= lag(at, 1, at) OVER (PARTITION BY account_id ORDER BY version) AS in_order
FROM ledger WHERE account_id = ANY($1) ORDER BY account_id, version
"""


FORGETFUL = 2
"""Rows of each table in the memory of a worker that forgets almost all rows between two batches."""


@pytest.fixture(scope="module")
def bench(postgres: PostgresServer) -> Iterator[Bench]:
    """One worker for all examples. They share a database, because each has its own wallets and currencies."""
    with running_bench(postgres) as bench:
        yield bench


@pytest.fixture(scope="module")
def forgetful(postgres: PostgresServer) -> Iterator[Bench]:
    """The same with a worker that forgets almost all rows between two batches."""
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("WALLETS_MAX", "TRANSFERS_MAX", "CREDITS_MAX"):
            patch.setattr(f"wallet_saga.worker.known_rows.{limit}", FORGETFUL)
        with running_bench(postgres) as bench:
            yield bench


@contextmanager
def running_bench(postgres: PostgresServer) -> Iterator[Bench]:
    database = postgres.copy_database()
    with running_redis() as cache_server, asyncio.Runner() as runner:
        redis = Redis.from_url(cache_server.url)
        cache = BalanceCache(redis, lease_s=5.0, timeout_s=5.0)
        # Its session is idle while examples of the other worker run, and Postgres must not end it meanwhile.
        store = Store(database.service, timedelta(seconds=5), ONE_SHARD, silence_max_s=600.0)
        runner.run(_open(store, cache))
        auditor = runner.run(asyncpg.connect(database.owner))
        yield Bench(runner, BatchWriter(store, cache, 1000, 20_000), auditor, redis)
        runner.run(auditor.close())
        runner.run(cache.close())
        runner.run(store.__aexit__())


async def _open(store: Store, cache: BalanceCache) -> None:
    await store.__aenter__()
    await cache.start()


# The values that Hypothesis draws. `Example` makes names and currencies unique when it builds the steps.

NAMES = st.integers(0, 4)
AMOUNTS = st.one_of(st.integers(1, 30), st.sampled_from([1, 100, AMOUNT_MAX_MICROS - 50, AMOUNT_MAX_MICROS]))
REQUESTS = st.tuples(
    st.sampled_from([DebitWallet, DebitWallet, DebitWallet, OpenWallet, Deposit, Withdraw]),
    NAMES,
    NAMES,
    AMOUNTS,
    st.sampled_from([0, 0, 0, 0, 0, 1]),
    st.sampled_from([None, None, "k1", "k2"]),
    st.booleans(),
)
ACTIONS = st.one_of(
    st.tuples(st.just("request"), st.integers(0, 23)),
    st.tuples(st.sampled_from(["credit", "complete", "refund"]), st.integers(0, 23)),
    st.tuples(st.sampled_from(["freeze", "unfreeze", "close", "read", "pass"]), NAMES),
)
BATCHES = st.lists(st.lists(ACTIONS, min_size=1, max_size=12), min_size=1, max_size=6)
OPENINGS = st.lists(st.sampled_from([0, 10, 100, AMOUNT_MAX_MICROS]), min_size=2, max_size=4)
Request = tuple[type[Logged], int, int, int, int, str | None, bool]


class Example:
    """Builds steps from the drawn values. A repeated step is the same message, as in the real system."""

    def __init__(self) -> None:
        self._tag = uuid4().hex[:8]

    def account(self, number: int) -> str:
        return f"{self._tag}-{number}"

    def currency(self, number: int) -> str:
        return f"{self._tag}{number}"

    def opening(self, number: int, balance: int) -> OpenWallet:
        return OpenWallet(uuid4(), self.account(number), balance, self.currency(0), None, None)

    def request(self, drawn: Request) -> Logged:
        kind, first, second, amount, currency_number, key, is_local = drawn
        account, currency = self.account(first), self.currency(currency_number)
        if kind is DebitWallet:
            other = self.account(second if second != first else first + 1)
            meaning = fingerprint(key, "transfer", other, amount, currency)
            return DebitWallet(uuid4(), account, other, amount, currency, key, meaning, is_local)
        meaning = fingerprint(key, kind.__name__, amount, currency)
        made: Any = kind
        step: Logged = made(uuid4(), account, amount, currency, key, meaning)
        return step

    def step(self, requests: Sequence[Logged], action: tuple[str, int]) -> Command:
        """Returns the step of an action. No orchestrator sends the credit of a local transfer."""
        what, number = action
        if what in ("freeze", "unfreeze"):
            return ChangeStatus(self.account(number), what == "freeze")
        if what in ("close", "read"):
            return (CloseWallet if what == "close" else ReadWallet)(self.account(number))
        if what == "pass":
            return Flush()
        request = requests[number % len(requests)]
        if what == "request" or not isinstance(request, DebitWallet):
            return request
        return request if request.is_local and what == "credit" else follow_up(request, what)


def follow_up(debit: DebitWallet, what: str, reason: Refusal = Refusal.WALLET_FROZEN) -> Command:
    """Returns a later step of the saga that the debit began."""
    if what == "credit":
        return CreditWallet(
            debit.transaction_id, debit.from_account, debit.to_account, debit.amount_micros, debit.currency
        )
    if what == "complete":
        return CompleteTransfer(debit.transaction_id, debit.from_account)
    return RefundTransfer(debit.transaction_id, debit.from_account, reason)


@bounded
@given(OPENINGS, st.lists(REQUESTS, min_size=1, max_size=12), BATCHES)
def test_steps_in_any_order_follow_the_model(
    bench: Bench, openings: list[int], requests: list[Request], batches: list[list[tuple[str, int]]]
) -> None:
    """The shard behaves as the contract demands for any steps, in any order, with any repetitions."""
    follow_the_model(bench, openings, requests, batches)


@bounded
@given(OPENINGS, st.lists(REQUESTS, min_size=1, max_size=12), BATCHES)
def test_steps_follow_the_model_if_their_rows_are_not_in_memory(
    forgetful: Bench, openings: list[int], requests: list[Request], batches: list[list[tuple[str, int]]]
) -> None:
    """The same with a worker that forgets its rows: the database rejects wrong assumptions about new rows."""
    follow_the_model(forgetful, openings, requests, batches)


def follow_the_model(
    bench: Bench, openings: list[int], requests: list[Request], batches: list[list[tuple[str, int]]]
) -> None:
    """Sends the steps in these batches to the worker and to the model."""
    example, model = Example(), Model()
    first = [example.request(request) for request in requests]
    retried = [example.request((*request[:-1], not request[-1])) for request in requests]  # with a fresh id
    made = [step for pair in zip(first, retried, strict=True) for step in pair]
    steps = [[example.step(made, action) for action in batch] for batch in batches]
    bench.run(model, [[example.opening(n, balance) for n, balance in enumerate(openings)], *steps])


@bounded
@given(st.lists(REQUESTS, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_money_in_transit_equals_the_amounts_of_open_sagas(
    bench: Bench, requests: list[Request], random: Random
) -> None:
    """In any interleaving of sagas, the money in transit equals the amounts of open sagas whose credit is not done."""
    example, model = Example(), Model()
    debits = [step for step in map(example.request, requests) if isinstance(step, DebitWallet)]
    bench.run(model, [[example.opening(n, 100) for n in range(4)]])
    for _ in range(8):
        batch = [step for debit in debits for step in [_next_step(model, debit, random)] if step is not None]
        random.shuffle(batch)
        batch += random.choices(batch, k=2) if batch else []
        status = [ChangeStatus(example.account(random.randrange(4)), random.random() < 0.5)]
        bench.run(model, [[*status, *batch]])
        _check_transit(model, debits)
    while batch := [step for debit in debits if (step := _next_step(model, debit)) is not None]:
        bench.run(model, [batch])
    assert not any(value for (name, _), value in model.system.items() if name == TRANSIT)
    assert not any(wallet.in_flight for wallet in model.wallets.values())


def _next_step(model: Model, debit: DebitWallet, random: Random | None = None) -> Command | None:
    """Returns the orchestrator's next step for this request. With `random`, it sometimes repeats an earlier step."""
    transfer = model.log.get(debit.transaction_id)
    if transfer is None:
        replayed = debit.key is not None and (debit.from_account, debit.key) in model.keys
        return None if replayed and random is None else debit
    if random is not None and random.random() < 0.3:
        return random.choice([debit, None])
    if transfer.state != "debited":
        return None
    if debit.transaction_id not in model.barrier or (random is not None and random.random() < 0.2):
        return follow_up(debit, "credit")
    reason = model.barrier[debit.transaction_id]
    return follow_up(debit, "refund", reason) if reason else follow_up(debit, "complete")


def _check_transit(model: Model, debits: Sequence[DebitWallet]) -> None:
    open_micros: Counter[str] = Counter()
    for debit in debits:
        transfer = model.log.get(debit.transaction_id)
        credited = model.barrier.get(debit.transaction_id, "not yet") is None
        if transfer is not None and transfer.state == "debited" and not credited:
            open_micros[debit.currency] += debit.amount_micros
    in_transit = {
        currency: value for (name, currency), value in model.system.items() if name == TRANSIT and value
    }
    assert in_transit == {currency: value for currency, value in open_micros.items() if value}


@pytest.mark.parametrize("size", [1, 2, 10, 100, 1000])
def test_batches_of_any_size_have_the_outcomes_of_single_steps(bench: Bench, size: int) -> None:
    """With hot wallets, opposing transfers and overdrafts, a batch of any size has the outcomes of single steps."""
    random = Random(uuid4().int if EXAMPLES else size)
    example, model = Example(), Model()
    bench.run(model, [[example.opening(n, 20 * size) for n in range(4)]])
    requests = [example.request(_hot_request(random)) for _ in range(size)]
    debits = [step for step in requests if isinstance(step, DebitWallet) and not step.is_local]
    batches: list[Sequence[Command]] = [
        requests,
        [follow_up(debit, "credit") for debit in debits],
        [follow_up(debit, "complete") for debit in debits],
        random.sample(requests, k=min(size, 50)),
    ]
    bench.run(model, [batch for batch in batches if batch])


def _hot_request(random: Random) -> Request:
    payer, payee = random.choice([(0, 1), (1, 0), (0, 2), (0, 3), (3, 0), (7, 0), (0, 7)])
    kinds: list[type[Logged]] = [DebitWallet, DebitWallet, DebitWallet, DebitWallet, Deposit, Withdraw]
    key = random.choice([None, None, None, f"k{random.randrange(20)}"])
    return random.choice(kinds), payer, payee, random.randint(1, 60), 0, key, random.random() < 0.5
