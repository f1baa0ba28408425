"""Two-phase commit between two databases: crash points, blocking, and the first decision."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from baselines_support.commands import opening, transfer
from baselines_support.crash import POINTS

from wallet_baselines.records import MoveMoney, Transfer
from wallet_baselines.settings import TwoPhaseSettings
from wallet_baselines.two_phase.participant import Participant
from wallet_baselines.two_phase.wallets import TwoPhaseWallets
from wallet_baselines.wallets import NothingDone
from wallet_kernel.refusals import Refusal
from wallet_kernel.slots import slot_of
from wallet_kernel.topology import Topology
from wallet_lab.testing import DatabaseUrls, PostgresServer

pytestmark = pytest.mark.anyio
TWO = Topology.even(2)
Shards = tuple[DatabaseUrls, DatabaseUrls]


def settings_of(
    databases: Shards, *, recovery_interval_s: float = 0.05, in_doubt_s: float = 0.5
) -> TwoPhaseSettings:
    """Returns settings with a quick recovery."""
    return TwoPhaseSettings(
        port=0,
        service_secret="0123456789abcdef",
        database_urls=tuple(urls.service for urls in databases),
        recovery_interval_s=recovery_interval_s,
        in_doubt_s=in_doubt_s,
    )


@pytest.fixture
async def wallets(databases: Shards) -> AsyncIterator[TwoPhaseWallets]:
    """The use cases on the two shards. Recovery aborts a transfer that is undecided after half a second."""
    async with TwoPhaseWallets(settings_of(databases)) as opened:
        yield opened


@pytest.fixture
async def patient(databases: Shards) -> AsyncIterator[TwoPhaseWallets]:
    """The use cases on the two shards. Recovery leaves a slow coordinator the time that it needs."""
    async with TwoPhaseWallets(settings_of(databases, in_doubt_s=60)) as opened:
        yield opened


def names(shard: int, count: int) -> list[str]:
    """Returns account names of one shard."""
    found = (f"w{number}" for number in range(100_000) if TWO.owners[slot_of(f"w{number}")] == shard)
    return [next(found) for _ in range(count)]


async def open_pairs(wallets: TwoPhaseWallets, count: int) -> list[tuple[str, str]]:
    """Opens pairs of a payer that holds 10 and a payee on the other shard. Half of the payers are on each shard."""
    pairs = [
        (low, high) if number % 2 else (high, low)
        for number, (low, high) in enumerate(zip(names(0, count), names(1, count), strict=True))
    ]
    for payer, payee in pairs:
        await wallets.move(opening(payer, 10))
        await wallets.move(opening(payee))
    return pairs


async def balances(wallets: TwoPhaseWallets, *accounts: str) -> list[int]:
    """Returns the balances of wallets."""
    found = [await wallets.balance(account) for account in accounts]
    return [wallet.balance_micros for wallet in found if wallet]


async def settled(wallets: TwoPhaseWallets) -> None:
    """Waits until no transaction is in doubt."""
    async with asyncio.timeout(20):
        while [await shard.in_doubt(0) for shard in wallets.shards] != [[], []]:  # noqa: ASYNC110 -- of other processes
            await asyncio.sleep(0.05)


def crash_all(databases: Shards, pairs: list[tuple[str, str]]) -> None:
    """Carries out one transfer per crash point in a process that dies there."""
    path = os.pathsep.join((str(Path(__file__).parent / "support"), *sys.path))
    command = [sys.executable, "-m", "baselines_support.crash", *(urls.service for urls in databases)]
    subprocess.run([*command, *map(",".join, pairs)], env={**os.environ, "PYTHONPATH": path}, check=True)


@pytest.mark.slow
async def test_prepared_transfers_survive_a_crash_of_the_databases(
    databases: Shards, postgres: PostgresServer
) -> None:
    """If coordinator and databases are killed, recovery commits the decided transfers and aborts the others."""
    async with TwoPhaseWallets(settings_of(databases, recovery_interval_s=60)) as wallets:
        pairs = await open_pairs(wallets, len(POINTS))
    crash_all(databases, pairs)
    postgres.kill()
    postgres.start()
    async with TwoPhaseWallets(settings_of(databases, in_doubt_s=0.01)) as wallets:
        await settled(wallets)
        for point, pair in zip(POINTS, pairs, strict=True):
            assert await balances(wallets, *pair) == ([9, 1] if point.is_decided else [10, 0]), point


async def test_transfer_between_shards_changes_both_or_none(patient: TwoPhaseWallets) -> None:
    """After an acknowledged transfer both wallets show it, and after a refusal neither does."""
    [(payer, payee)] = await open_pairs(patient, 1)
    done = await patient.move(transfer(payer, payee, 4))
    assert (done.pending, done.transfer.reason) == (False, None)
    assert await balances(patient, payer, payee) == [6, 4]
    refused = await patient.move(transfer(payer, payee, 7))
    assert refused.transfer.reason == Refusal.INSUFFICIENT_FUNDS
    assert await balances(patient, payer, payee) == [6, 4]
    for outcome in (done, refused):
        assert await patient.transfer(outcome.transfer.transaction_id) == outcome


async def test_opposing_transfers_between_shards_do_not_deadlock(patient: TwoPhaseWallets) -> None:
    """Concurrent transfers in both directions wait for each other and all succeed."""
    [(first, second)] = await open_pairs(patient, 1)
    await patient.move(transfer(first, second, 5))
    pairs = [(first, second), (second, first)] * 10
    outcomes = await asyncio.gather(*(patient.move(transfer(*pair, 1)) for pair in pairs))
    assert {outcome.transfer.reason for outcome in outcomes} == {None}
    assert await balances(patient, first, second) == [5, 5]


async def test_same_key_raced_between_shards_has_one_effect(patient: TwoPhaseWallets) -> None:
    """Concurrent transfers with one key get one transfer, also if the payer does not exist and so has no lock."""
    [(payer, payee)] = await open_pairs(patient, 1)
    unknown = names(TWO.shard_of(payer), 3)[2]
    for account in (payer, unknown):
        outcomes = await asyncio.gather(*(patient.move(transfer(account, payee, 1, "k")) for _ in range(8)))
        assert len({outcome.transfer.transaction_id for outcome in outcomes}) == 1
        assert await balances(patient, payer, payee) == [9, 1]


@pytest.mark.slow
async def test_no_crash_point_breaks_a_transfer(databases: Shards) -> None:
    """A coordinator dies at every point of the protocol: the transfer happens if and only if it was decided.

    The retry with the same key carries it out if it did not happen, and otherwise replays it.
    """
    patient, quick = settings_of(databases, recovery_interval_s=60), settings_of(databases, in_doubt_s=0.01)
    async with TwoPhaseWallets(patient) as wallets:
        pairs = await open_pairs(wallets, len(POINTS))
    crash_all(databases, pairs)
    async with TwoPhaseWallets(quick) as wallets:
        await settled(wallets)
    async with TwoPhaseWallets(patient) as wallets:
        for number, (point, (payer, payee)) in enumerate(zip(POINTS, pairs, strict=True)):
            moved = [9, 1] if point.is_decided else [10, 0]
            assert await balances(wallets, payer, payee) == moved, point
            again = await wallets.move(transfer(payer, payee, 1, f"key-{number}"))
            assert (again.pending, again.transfer.reason) == (False, None), point
            assert await balances(wallets, payer, payee) == [9, 1], point


async def test_paused_coordinator_cannot_commit_after_recovery_aborted(
    databases: Shards, wallets: TwoPhaseWallets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first decision is final: if recovery aborted a transfer, its coordinator gets NothingDone."""
    [(payer, payee)] = await open_pairs(wallets, 1)
    decide = Participant.decide

    async def paused(self: Participant, connection: asyncpg.Connection, decided: Transfer) -> None:
        await settled(wallets)
        await decide(self, connection, decided)

    monkeypatch.setattr(Participant, "decide", paused)
    command = transfer(payer, payee, 1, "k")
    with pytest.raises(NothingDone):
        await wallets.move(command)
    assert await balances(wallets, payer, payee) == [10, 0]
    assert await wallets.transfer(command.transaction_id) is None
    monkeypatch.undo()
    assert (await wallets.move(transfer(payer, payee, 1, "k"))).transfer.reason is None
    assert await balances(wallets, payer, payee) == [9, 1]


async def test_unconfirmed_commit_is_pending_until_recovery(
    databases: Shards, wallets: TwoPhaseWallets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a shard does not confirm its commit, the client gets "pending", and recovery makes it a success."""
    [(payer, payee)] = await open_pairs(wallets, 1)

    async def lost(*_: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(Participant, "finish", lost)
    command = transfer(payer, payee, 1, "k")
    assert (await wallets.move(command)).pending
    found = await wallets.transfer(command.transaction_id)
    assert found is not None
    assert found.pending
    monkeypatch.undo()
    await settled(wallets)
    again = await wallets.move(transfer(payer, payee, 1, "k"))
    assert (again.pending, again.transfer.transaction_id) == (False, command.transaction_id)
    assert await balances(wallets, payer, payee) == [9, 1]


async def prepare_only(wallets: TwoPhaseWallets, command: MoveMoney) -> None:
    """Prepares a transfer on both shards, as a coordinator that then dies."""
    async with wallets.shards[0].connection() as first, wallets.shards[1].connection() as second:
        sides = {wallets.shards[0]: first, wallets.shards[1]: second}
        batch = await wallets._lock(sides, command)
        moved = batch.move(command)
        for shard, connection in sides.items():
            await wallets._prepare(shard, connection, batch, moved)


async def test_recovery_resolves_what_it_can_while_a_shard_is_down(
    wallets: TwoPhaseWallets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction whose payer's shard is unreachable stays in doubt, and does not delay the others."""
    pairs = await open_pairs(wallets, 2)
    own, down = (transfer(*pair, 1) for pair in sorted(pairs, key=lambda pair: TWO.shard_of(pair[0])))

    async def out_of_reach(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(wallets.shards[1], "settled_decision", out_of_reach)
    for command in (down, own):
        await prepare_only(wallets, command)
    async with asyncio.timeout(20):
        while [await shard.in_doubt(0) for shard in wallets.shards] != [[down.transaction_id]] * 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    monkeypatch.undo()
    await settled(wallets)


async def test_healthy_shard_works_while_the_other_has_a_wallet_in_doubt(wallets: TwoPhaseWallets) -> None:
    """A transfer within one shard succeeds while another wallet of that shard is locked by an in-doubt transfer."""
    [(payer, payee), (other, _)] = await open_pairs(wallets, 2)
    own = names(TWO.shard_of(payee), 4)[3]
    await wallets.move(opening(own))
    assert TWO.shard_of(other) == TWO.shard_of(payee)
    await prepare_only(wallets, transfer(payer, payee, 1))
    async with asyncio.timeout(5):
        local = await wallets.move(transfer(other, own, 1))
    assert local.transfer.reason is None
    await settled(wallets)
    assert await balances(wallets, payer, payee, own) == [10, 0, 1]
