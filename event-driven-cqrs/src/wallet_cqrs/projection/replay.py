"""Resumes a partition that a poison event stopped. Fix the cause first. Reports whether the partition has caught up."""

import argparse
import asyncio
import sys
import time

from pydantic import Field, SecretStr

from wallet_cqrs.event_log import AnotherEpoch, EventLog, LogState, open_pool
from wallet_cqrs.projection.projector import diverged
from wallet_cqrs.projection.store import Store
from wallet_cqrs.topology import verify_read_shard
from wallet_kernel.runtime.settings import SecretList, Settings

DIVERGED = "its read model has events that the log lost"
REBUILD = "rebuild the read model instead (./lab rebuild)"
WAIT_S = 60.0
_POLL_S = 0.1


class ReplaySettings(Settings):
    """The settings of a replay; they equal the projection's."""

    event_store_url: SecretStr = Field(description="The event store's Postgres, as the role wallet_service.")
    read_urls: SecretList = Field(
        description="The read shards' Postgres, as the role wallet_service.", min_length=1
    )


def main(arguments: list[str]) -> None:
    """Runs `replay --partition N`: exits with 0 if the partition has caught up, else with 1 and the reason."""
    parser = argparse.ArgumentParser(prog="python -m wallet_cqrs.projection replay", description=__doc__)
    parser.add_argument("--partition", type=int, required=True)
    partition: int = parser.parse_args(arguments).partition
    settings = ReplaySettings()
    if partition not in range(len(settings.read_urls)):
        parser.error(f"partition {partition} does not exist; choose 0 to {len(settings.read_urls) - 1}")
    try:
        problem = asyncio.run(replay(settings, partition))
    except AnotherEpoch as error:
        problem = f"{error} Run the replay again."
    if problem:
        sys.exit(f"partition {partition} has not caught up: {problem}")
    print("the partition has caught up")  # noqa: T201 -- the command's answer


async def replay(settings: ReplaySettings, partition: int) -> str | None:
    """Resumes the partition, and waits until it has caught up. Returns the reason if it has not.

    Does not resume a diverged partition. Raises AnotherEpoch, or asyncpg's errors.
    """
    pool = open_pool(settings.event_store_url.get_secret_value(), "replay")
    prepare = verify_read_shard(partition, len(settings.read_urls))
    async with pool, Store(settings.read_urls[partition].get_secret_value(), prepare=prepare) as store:
        checkpoint = await store.checkpoint()
        state = await EventLog(pool).state(checkpoint.epoch)
        if checkpoint.position > state.shared:
            return f"{diverged(partition, checkpoint, state)}; {REBUILD}"
        if not await store.resume():
            return f"{DIVERGED}; {REBUILD}"
        return await _until_caught_up(store, state)


async def _until_caught_up(store: Store, state: LogState) -> str | None:
    """Waits for the projection. It detects the gap with the next message, at the latest with a heartbeat."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        checkpoint = await store.checkpoint()
        _, stopped = await store.progress()
        if stopped:
            return stopped
        if checkpoint.epoch == state.epoch and checkpoint.position >= state.head:
            return None
        await asyncio.sleep(_POLL_S)
    return f"it did not reach the head within {WAIT_S:.0f} s; check that the projection runs"
