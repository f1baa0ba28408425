"""Rebuilds: a fresh model equals the live one, differences are found, and a swap under load loses nothing."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest
from cqrs_support.histories import RandomLog, append, batches, project, random_log

from wallet_cqrs.event_log import EventLog, open_pool
from wallet_cqrs.messages import EventBatch
from wallet_cqrs.projection.event_batches import ContiguousEvents, follow
from wallet_cqrs.projection.store import Outdated, Store
from wallet_cqrs.read_model import Fold
from wallet_cqrs.rebuild.models import RebuildFailed, TwinModels
from wallet_cqrs.rebuild.rebuild import together
from wallet_lab.testing import DatabaseUrls

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def written(event_store: DatabaseUrls) -> RandomLog:
    """A log that the event store contains."""
    made = random_log()
    await append(event_store.owner, made.events)
    return made


@pytest.fixture
async def live(written: RandomLog, read_shards: list[DatabaseUrls]) -> list[DatabaseUrls]:
    """Two read shards that contain the whole log."""
    for partition, shard in enumerate(read_shards):
        await project(shard, batches(written.events, partition))
    return read_shards


@pytest.fixture
async def log(event_store: DatabaseUrls) -> AsyncIterator[EventLog]:
    """A reader of the event log."""
    async with open_pool(event_store.service, "test") as pool:
        yield EventLog(pool)


def command(event_store: str, shards: list[DatabaseUrls], *arguments: str) -> "subprocess.Popen[str]":
    """Starts the command as an operator does."""
    env = {
        **os.environ,
        "WALLET_EVENT_STORE_URL": event_store,
        "WALLET_READ_URLS": ",".join(shard.owner for shard in shards),
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "wallet_cqrs.rebuild", *arguments],
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(
    event_store: DatabaseUrls, shards: list[DatabaseUrls], *arguments: str
) -> "subprocess.CompletedProcess[str]":
    """Runs the command to its end."""
    with command(event_store.service, shards, *arguments) as process:
        output, errors = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


async def value(shard: DatabaseUrls, sql: str) -> object:
    """Runs a statement as the owner, and returns its only value."""
    connection = await asyncpg.connect(shard.owner)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_the_rebuilt_model_equals_the_live_one(
    event_store: DatabaseUrls, live: list[DatabaseUrls]
) -> None:
    """A rebuilt model equals the live one in all rows and columns."""
    verified = run(event_store, live, "--verify")
    assert verified.returncode == 0, verified
    assert verified.stdout.count("equals the events") == 2


@pytest.mark.parametrize(
    ("change", "table"),
    [
        (
            "UPDATE read_model.wallets SET balance_micros = balance_micros + 1 WHERE balance_micros > 0",
            "wallets",
        ),
        ("UPDATE read_model.wallets SET updated_at = updated_at + interval '1 microsecond'", "wallets"),
        ("DELETE FROM read_model.postings WHERE version = 2", "postings"),
        ("INSERT INTO read_model.wallets VALUES ('ghost', 'USD', 'active', 1, 1, now())", "wallets"),
    ],
)
async def test_comparison_finds_a_planted_difference(
    event_store: DatabaseUrls, live: list[DatabaseUrls], change: str, table: str
) -> None:
    """The comparison finds a changed value or a missing or extra row, and a rebuild removes the difference."""
    await value(live[0], change)
    verified = run(event_store, live, "--verify")
    assert verified.returncode == 1
    assert f"{table}: live" in verified.stdout
    assert run(event_store, live).returncode == 0
    assert run(event_store, live, "--verify").returncode == 0


async def test_rebuild_refuses_a_log_that_ends_before_the_live_model(
    event_store: DatabaseUrls, live: list[DatabaseUrls], log: EventLog, written: RandomLog
) -> None:
    """If the log ends before the live model, a rebuild fails until an operator begins a new epoch."""
    for shard in live:
        async with Store(shard.service) as store:
            await store.adopt((await log.state(None)).epoch, 10**9)
        await value(shard, "UPDATE read_model.checkpoint SET position = position + 50")
    head = written.events[-1].position
    for arguments in ((), ("--verify",)):
        refused = run(event_store, live, *arguments)
        assert (refused.returncode, "./lab new-epoch" in refused.stderr) == (1, True), refused
        assert await value(live[0], "SELECT position FROM read_model.checkpoint") == head + 50
    assert f"after position {head}" in run(event_store, live, "--new-epoch").stdout
    assert run(event_store, live, "--verify").returncode == 1
    assert run(event_store, live).returncode == 0
    assert await value(live[0], "SELECT position FROM read_model.checkpoint") == head
    assert run(event_store, live, "--verify").returncode == 0


async def test_refused_shard_prevents_every_swap(
    event_store: DatabaseUrls, live: list[DatabaseUrls], log: EventLog
) -> None:
    """If a rebuild refuses one shard, it swaps no shard, and the operator gets one sentence."""
    async with Store(live[1].service) as store:
        await store.adopt((await log.state(None)).epoch, 10**9)
    await value(live[1], "UPDATE read_model.checkpoint SET position = position + 50")
    models = [await value(shard, "SELECT 'read_model.wallets'::regclass::oid") for shard in live]
    refused = run(event_store, live)
    assert (refused.returncode, refused.stdout) == (1, ""), refused
    assert refused.stderr.startswith("the live read model of shard 1 is at"), refused
    assert [await value(shard, "SELECT 'read_model.wallets'::regclass::oid") for shard in live] == models


async def test_failure_of_one_shard_is_raised_after_the_others_have_ended() -> None:
    """If the work of one shard fails, the work of the others ends before the error is raised."""
    ended: list[int] = []

    async def work(number: int) -> None:
        if number == 0:
            raise RebuildFailed("refused")
        await asyncio.sleep(0.05)
        ended.append(number)

    with pytest.raises(RebuildFailed):
        await together(*map(work, range(3)))
    assert ended == [1, 2]


async def test_rebuild_leaves_no_schema_behind(event_store: DatabaseUrls, live: list[DatabaseUrls]) -> None:
    """Neither a rebuild nor a comparison leaves schemas behind."""
    run(event_store, live)
    run(event_store, live, "--verify")
    schemas = "SELECT array_agg(nspname::text) FROM pg_namespace WHERE nspname LIKE 'read_model%'"
    assert await value(live[0], schemas) == ["read_model"]


async def test_rebuild_drops_the_model_of_a_killed_one(
    event_store: DatabaseUrls, live: list[DatabaseUrls], log: EventLog
) -> None:
    """After a killed rebuild, the next one drops the incomplete model."""
    await value(live[0], "SELECT create_read_model('read_model_fresh')")
    assert run(event_store, live).returncode == 0


async def test_ctrl_c_ends_a_rebuild_without_a_traceback(live: list[DatabaseUrls]) -> None:
    """Ctrl-C ends a rebuild that waits for the event store, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://wallet_service@127.0.0.1:{silent.getsockname()[1]}/events?sslmode=disable"
        with command(url, live) as process:
            connection, _ = silent.accept()
            with connection:
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")


async def test_lost_connection_ends_a_rebuild_with_one_sentence(live: list[DatabaseUrls]) -> None:
    """If the event store closes the connection, the rebuild says that it is unavailable, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as closing:
        url = f"postgresql://wallet_service@127.0.0.1:{closing.getsockname()[1]}/events?sslmode=disable"
        with command(url, live) as process:
            closing.accept()[0].close()
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.startswith("a database is unavailable: ConnectionDoesNotExistError(")
    assert "Traceback" not in errors


async def test_second_rebuild_at_the_same_time_fails(
    event_store: DatabaseUrls, live: list[DatabaseUrls]
) -> None:
    """A second rebuild at the same time fails with a message."""
    async with TwinModels(0, live[0].owner):
        with pytest.raises(RebuildFailed, match="another rebuild"):
            async with TwinModels(0, live[0].owner):
                pass


async def test_open_connections_use_the_new_model_after_a_swap(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls], log: EventLog, written: RandomLog
) -> None:
    """After a swap, open connections with prepared statements read and write the new model."""
    made = batches(written.events, 0)
    half = len(made) // 2
    async with Store(read_shards[0].service) as store:
        await _apply(store, made[:half])
        reader = await asyncpg.connect(read_shards[0].service, server_settings={"search_path": "read_model"})
        statement = await reader.prepare("SELECT count(*), (SELECT position FROM checkpoint) FROM wallets")
        before = await statement.fetchrow()
        async with TwinModels(0, read_shards[0].owner) as shard:
            await shard.begin((await log.state(None)).epoch)
            await _build_half(log, shard)
            await asyncio.gather(shard.swap(log, 2), _apply(store, made[half : half + 3]))
            after = await statement.fetchrow()
            assert after[1] >= before[1]
        await _apply(store, made)
        assert await store.progress() == (written.events[-1].position, None)
        await reader.close()
    await project(read_shards[1], batches(written.events, 1))
    assert run(event_store, read_shards, "--verify").returncode == 0


async def _apply(store: Store, made: list[EventBatch]) -> None:
    for batch in made:
        model = await store.read({event.stream_id for event in batch.events})
        following = follow(model.state.checkpoint, [batch])
        if isinstance(following, ContiguousEvents) and following.head > model.state.checkpoint.position:
            fold = Fold(model.wallets)
            fold.apply(following.events)
            with suppress(Outdated):  # a swap replaced the model by one that has these events
                await store.write(model.state, fold, following.head)


async def _build_half(log: EventLog, shard: TwinModels) -> None:
    """Does the same as `build`, for one of two shards."""
    epoch, head, *_ = await log.state(None)
    async for reached, events in log.chunks(epoch, 0, head, 10):
        await shard.apply(events, reached, 2)


async def test_a_swap_waits_for_the_projection(
    event_store: DatabaseUrls, live: list[DatabaseUrls], log: EventLog
) -> None:
    """A swap waits for the projection's statement, so that the new model has its writes."""
    async with TwinModels(0, live[0].owner) as shard:
        await shard.begin((await log.state(None)).epoch)
        await _build_half(log, shard)
        projection = await asyncpg.connect(live[0].service)
        async with projection.transaction():
            await projection.execute("UPDATE read_model.checkpoint SET position = position")
            swapping = asyncio.create_task(shard.swap(log, 2))
            await asyncio.sleep(0.3)
            not_yet = await value(live[0], "SELECT to_regnamespace('read_model_fresh') IS NOT NULL")
        await projection.close()
        async with asyncio.timeout(60):
            await swapping
    assert not_yet, "the models were renamed while the projection was writing"
    assert run(event_store, live, "--verify").returncode == 0
