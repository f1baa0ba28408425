"""Transfers within one shard: one command performs the whole saga in one transaction.

The tests follow the tables of docs/decisions/0023-local-transfers.md: the decision, the database, and whole stacks.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec.structs import replace
from prometheus_client import REGISTRY
from saga_support.decided import ID, NOW, given, holds, wallet, when
from saga_support.scene import TEN, Scene, opened_scene

from wallet_kernel.attempt import Attempt
from wallet_kernel.batcher import Pending
from wallet_kernel.ids import new_transaction_id
from wallet_kernel.money import AMOUNT_MAX_MICROS
from wallet_kernel.redis_client import open_cache
from wallet_kernel.refusals import Refusal
from wallet_lab.testing import RunningStack, running_redis
from wallet_saga.balance_cache import cache_key
from wallet_saga.domain.commands import (
    ChangeStatus,
    CloseWallet,
    Command,
    CompleteTransfer,
    DebitWallet,
    Done,
    Ended,
    OpenWallet,
    Outcome,
    ReadWallet,
    RefundTransfer,
    Refused,
    Replayed,
    WalletState,
)
from wallet_saga.domain.saga import Saga, State
from wallet_saga.orchestrator.coordinator import Coordinator, Drive
from wallet_saga.orchestrator.shard_client import ShardClient, ShardUnavailable
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.cache import BalanceCache, Lease
from wallet_saga.worker.store import Store


def transfer(amount: int = 30, transaction_id: UUID = ID, key: str | None = None) -> DebitWallet:
    meaning = b"meaning" if key else None
    return DebitWallet(transaction_id, "payer", "payee", amount, "USD", key, meaning, is_local=True)


# The decision.


def test_local_transfer_posts_both_sides_and_ends() -> None:
    """One command debits the payer, credits the payee and ends the saga. Nothing is in flight or in transit."""
    batch = given(wallet("payer"), wallet("payee", 5))
    assert when(batch, transfer()) == [Ended()]
    assert (holds(batch, "payer"), holds(batch, "payee")) == ((70, 0, 2), (35, 0, 2))
    assert [(e.account_id, e.kind, e.amount_micros, e.counterparty) for e in batch.new_entries] == [
        ("payer", "transfer", -30, "payee"),
        ("payee", "transfer", 30, "payer"),
    ]
    logged = batch.new_transfers[ID]
    assert (logged.state, logged.started_at, logged.ended_at) == ("completed", NOW, NOW)
    assert batch.system_changes == {("@transit", "USD"): 0}
    assert not batch.new_credits


_UNFIT = [
    ((), Refusal.WALLET_NOT_FOUND),
    ((wallet("payee", 0, status="closed", currency="EUR"),), Refusal.WALLET_CLOSED),
    ((wallet("payee", AMOUNT_MAX_MICROS, status="frozen", currency="EUR"),), Refusal.WALLET_FROZEN),
    ((wallet("payee", AMOUNT_MAX_MICROS, currency="EUR"),), Refusal.CURRENCY_MISMATCH),
    ((wallet("payee", AMOUNT_MAX_MICROS - 40, in_flight=11),), Refusal.BALANCE_LIMIT),
]


@pytest.mark.parametrize(("payee", "reason"), _UNFIT)
def test_payee_that_refuses_gets_nothing_and_the_payer_is_refunded(
    payee: tuple[WalletState, ...], reason: Refusal
) -> None:
    """If the payee refuses, the books say the same as after debit, refused credit and refund in three commands."""
    batch = given(wallet("payer"), *payee)
    assert when(batch, transfer()) == [Ended(reason)]
    assert holds(batch, "payer") == (100, 0, 3)
    assert not any(w.changed for w in batch.wallets.values() if w.account_id == "payee")
    assert [(e.account_id, e.kind, e.amount_micros) for e in batch.new_entries] == [
        ("payer", "transfer", -30),
        ("payer", "refund", 30),
    ]
    assert (batch.new_transfers[ID].state, batch.new_transfers[ID].reason) == ("refunded", reason)
    assert [(credit.transaction_id, credit.reason) for credit in batch.new_credits] == [(ID, reason)]
    assert batch.system_changes == {("@transit", "USD"): 0}


@pytest.mark.parametrize(("payee", "_"), _UNFIT)
def test_payer_is_checked_before_the_payee(payee: tuple[WalletState, ...], _: Refusal) -> None:
    """If both wallets refuse, the payer's reason counts. The refusal is logged, and nothing is posted."""
    batch = given(wallet("payer", 29), *payee)
    assert when(batch, transfer()) == [Refused(Refusal.INSUFFICIENT_FUNDS)]
    assert batch.new_transfers[ID].state == "refused"
    assert not batch.new_entries
    assert not batch.new_credits


@pytest.mark.parametrize("is_local", [True, False])
def test_duplicate_of_a_local_transfer_gets_its_record(is_local: bool) -> None:
    """A duplicate by id or key gets the completed transfer and moves nothing, also without `is_local`."""
    batch = given(wallet("payer"), wallet("payee", 0))
    first = transfer(key="k")
    by_id, by_key = (
        replace(first, is_local=is_local),
        replace(first, transaction_id=uuid4(), is_local=is_local),
    )
    _, *again = when(batch, first, by_id, by_key)
    for outcome in again:
        assert isinstance(outcome, Replayed)
        assert (outcome.transfer.transaction_id, outcome.transfer.state) == (ID, "completed")
    assert (holds(batch, "payer"), holds(batch, "payee")) == ((70, 0, 2), (30, 0, 2))


def test_local_duplicate_of_a_debit_gets_its_record_and_credits_nobody() -> None:
    """If the first debit was not local, the orchestrator gets the open saga, so it sends the credit."""
    batch = given(wallet("payer"), wallet("payee", 0))
    first, again = when(batch, replace(transfer(), is_local=False), transfer())
    assert first == Done()
    assert isinstance(again, Replayed)
    assert again.transfer.state == "debited"
    assert (holds(batch, "payer"), holds(batch, "payee")) == ((70, 30, 2), (0, 0, 1))


@pytest.mark.parametrize(
    "late", [CompleteTransfer(ID, "payer"), RefundTransfer(ID, "payer", Refusal.WALLET_FROZEN)]
)
def test_late_step_changes_no_local_transfer(late: Command) -> None:
    """Completion and refund find no open saga of a local transfer."""
    batch = given(wallet("payer"), wallet("payee", 0))
    assert when(batch, transfer(), late) == [Ended(), Done()]
    assert (holds(batch, "payer"), holds(batch, "payee")) == ((70, 0, 2), (30, 0, 2))
    assert batch.new_transfers[ID].state == "completed"


def test_payer_of_a_local_transfer_can_be_closed_immediately() -> None:
    """No money is in flight after a local transfer, so the empty payer can be closed in the same batch."""
    batch = given(wallet("payer", 30), wallet("payee", 0))
    _, closed = when(batch, transfer(), CloseWallet("payer"))
    assert isinstance(closed, WalletState)
    assert closed.status == "closed"


# The database and the cache.


def opened(name: str, balance: int = 100) -> OpenWallet:
    return OpenWallet(uuid4(), name, balance, "USD")


async def balances(writer: BatchWriter) -> list[int]:
    found = await writer.perform([ReadWallet("payer"), ReadWallet("payee")])
    return [each.balance_micros for each in found if isinstance(each, WalletState)]


@pytest.mark.anyio
async def test_local_transfer_is_stored_as_ended(writer: BatchWriter, owner: asyncpg.Connection) -> None:
    """The log has the transfer with one time, the ledger has both sides, and the barrier and @transit have nothing."""
    await writer.perform([opened("payer"), opened("payee")])
    assert await writer.perform([transfer()]) == [Ended()]
    row = await owner.fetchrow("SELECT * FROM transfers WHERE transfer_id = $1", ID)
    assert (row["state"], row["reason"], row["ended_at"]) == ("completed", None, row["started_at"])
    entries = await owner.fetch("SELECT * FROM ledger WHERE transfer_id = $1 ORDER BY amount_micros", ID)
    assert [(e["account_id"], e["balance_micros"]) for e in entries] == [("payer", 70), ("payee", 130)]
    assert {entry["at"] for entry in entries} == {row["started_at"]}
    assert await owner.fetchval("SELECT count(*) FROM credits") == 0
    assert await owner.fetch("SELECT * FROM system_accounts WHERE name = '@transit'") == []
    assert await owner.fetchval("SELECT sum(in_flight_micros) FROM wallets") == 0


@pytest.mark.anyio
@pytest.mark.parametrize("is_frozen", [False, True], ids=["completed", "refunded"])
async def test_duplicate_of_a_forgotten_local_transfer_gets_its_record(
    writer: BatchWriter, store: Store, is_frozen: bool
) -> None:
    """If the row is not in memory, the database rejects the duplicate, and the batch is decided again with the row."""
    await writer.perform([opened("payer"), opened("payee"), ChangeStatus("payee", frozen=is_frozen)])
    first = transfer(key="k")
    await writer.perform([first])
    after = await balances(writer)
    await writer.perform([ChangeStatus("payee", frozen=False)])
    for duplicate in (first, replace(first, transaction_id=uuid4())):
        store._known.clear()
        [again] = await writer.perform([duplicate])
        assert isinstance(again, Replayed)
        assert again.transfer.state == ("refunded" if is_frozen else "completed")
    assert await balances(writer) == after == ([100, 100] if is_frozen else [70, 130])


@pytest.mark.anyio
async def test_read_shows_both_wallets_of_a_local_transfer(store: Store) -> None:
    """If clients have read both wallets, Redis has both new balances when the transfer is answered."""
    with running_redis() as server:
        async with open_cache(server.url) as redis:
            cache = BalanceCache(redis, lease_s=60.0, timeout_s=5.0)
            cache._up = True
            writer = BatchWriter(store, cache, 1000, 20_000)
            await writer.perform([opened("payer"), opened("payee")])
            cache._inherited = Lease(0.0, 0.0)
            await writer.perform([ReadWallet("payer"), ReadWallet("payee")])
            await writer.perform([transfer()])
            entries: list[Any] = await redis.mget(cache_key("payer"), cache_key("payee"))
    assert [entry.split(b" ")[0] for entry in entries] == [b"2", b"2"]


# Whole stacks.


@pytest.fixture
async def scene(two_shards: RunningStack) -> AsyncIterator[Scene]:
    """A fresh pair of wallets on one shard."""
    async with opened_scene(two_shards, payee_shard=0) as scene:
        yield scene


def local(scene: Scene) -> DebitWallet:
    return replace(scene.debit(), is_local=True)


async def timeline(scene: Scene) -> list[str]:
    """Returns the steps of the transfer's timeline. Fails if they do not have one time."""
    steps = (await scene.document())["timeline"]
    assert len({step["at"] for step in steps}) == 1
    return [step["step"] for step in steps]


@pytest.mark.anyio
@pytest.mark.slow
async def test_nothing_remains_to_do_if_the_orchestrator_dies_after_a_local_transfer(scene: Scene) -> None:
    """After the commit, the transfer has ended, although no orchestrator has its outcome."""
    assert await scene.send(local(scene)) == Ended()
    assert await scene.state() == "completed"
    assert await scene.balances() == (90, 10)
    assert (await scene.document())["status"] == "success"
    assert await timeline(scene) == ["debit", "credit", "complete"]


@pytest.mark.anyio
@pytest.mark.slow
async def test_late_steps_after_a_local_transfer_change_nothing(scene: Scene) -> None:
    """Duplicates of the debit, also from an orchestrator of an earlier version, and late endings move no money."""
    for step in (local(scene), local(scene), scene.debit(), scene.complete(), scene.refund()):
        await scene.send(step)
    assert await scene.state() == "completed"
    assert await scene.balances() == (90, 10)


@pytest.mark.anyio
@pytest.mark.slow
async def test_refused_local_transfer_names_the_payee_in_answer_and_replay(scene: Scene) -> None:
    """If the payee refuses, the problem names the payee, its replay is the same, and the document shows the steps."""
    await scene.freeze(scene.payee)
    body = {"fromAccount": scene.payer, "toAccount": scene.payee, "amount": 10, "currency": "USD"}
    first, again = [
        await scene.api.post("/wallets/balanceTransfer", json=body, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]
    assert (first.status_code, first.json()["type"]) == (409, "/problems/wallet-frozen")
    assert scene.payee in first.json()["detail"]
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    scene.transaction_id = UUID(first.json()["transactionId"])
    assert await timeline(scene) == ["debit", "credit refused", "refund"]
    assert await scene.balances() == (100, 0)


@pytest.mark.anyio
@pytest.mark.slow
async def test_local_transfer_costs_one_batch_and_no_completion(scene: Scene) -> None:
    """The orchestrator sends one command and is done."""
    name = scene.shards.of_account(scene.payer).name
    coordinator = Coordinator(scene.shards)
    assert coordinator.is_local(scene.payer, scene.payee)

    def sent() -> tuple[float | None, ...]:
        figures = ("wallet_batch_size_count", "wallet_batch_size_sum")
        return tuple(REGISTRY.get_sample_value(each, {"batcher": name}) for each in figures)

    before = sent()
    saga = Saga(scene.transaction_id, scene.payer, scene.payee, TEN, "USD", is_local=True)
    assert (await coordinator.decide(Drive(saga, Attempt()))).state is State.COMPLETED
    await scene.shards.of_account(scene.payer).drain()
    assert sent() == tuple((count or 0) + 1 for count in before)


@pytest.mark.anyio
@pytest.mark.slow
async def test_two_orchestrators_on_one_local_transfer_have_one_effect(scene: Scene) -> None:
    """If several orchestrators, also of an earlier version, drive one transfer, it has one effect."""
    sagas = [
        Saga(scene.transaction_id, scene.payer, scene.payee, TEN, "USD", is_local=n % 2 == 0)
        for n in range(10)
    ]
    drives = [Coordinator(scene.shards).decide(Drive(saga, Attempt())) for saga in sagas]
    states = {decided.state for decided in await asyncio.gather(*drives)}
    assert states <= {State.CREDITED, State.COMPLETED}
    assert await scene.ended() == "completed"
    assert await scene.balances() == (90, 10)


@pytest.mark.anyio
@pytest.mark.slow
async def test_worker_of_an_earlier_version_only_debits(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the worker ignores `is_local` and answers Done, the orchestrator sends the credit and the completion."""
    submit = ShardClient.submit

    def submit_to_an_earlier_version(client: ShardClient, command: Command) -> Pending[Outcome]:
        is_debit = isinstance(command, DebitWallet)
        return submit(client, replace(command, is_local=False) if is_debit else command)

    monkeypatch.setattr(ShardClient, "submit", submit_to_an_earlier_version)
    saga = Saga(scene.transaction_id, scene.payer, scene.payee, TEN, "USD", is_local=True)
    assert (await Coordinator(scene.shards).decide(Drive(saga, Attempt()))).state is State.CREDITED
    assert await scene.ended() == "completed"
    assert await scene.balances() == (90, 10)


@pytest.mark.anyio
@pytest.mark.slow
async def test_worker_pays_no_local_payee_that_another_shard_owns(two_shards: RunningStack) -> None:
    """If another shard owns the payee, a worker answers 421 to a local debit and does nothing."""
    async with opened_scene(two_shards) as apart:
        assert not Coordinator(apart.shards).is_local(apart.payer, apart.payee)
        apart.transaction_id = new_transaction_id(apart.payer)
        with pytest.raises(ShardUnavailable):
            await apart.send(local(apart))
        assert await apart.state() is None
        assert await apart.balances() == (100, 0)
