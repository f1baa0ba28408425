"""Lets a partition go on that a poison event stopped, once the cause is mended; says whether it got past it."""

import argparse
import asyncio
import sys
import time

from pydantic import Field, SecretStr

from wallet_cqrs.event_log import EventLog, open_pool
from wallet_cqrs.projection.store import Store
from wallet_cqrs.topology import verify_read_shard
from wallet_kernel.runtime.settings import SecretList, Settings

WAIT_S = 60.0
_POLL_S = 0.1


class ReplaySettings(Settings):
    """What a replay is told, as the projection is."""

    event_store_url: SecretStr = Field(description="The event store's Postgres, as the role wallet_service.")
    read_urls: SecretList = Field(
        description="The read shards' Postgres, as the role wallet_service.", min_length=1
    )


def main(arguments: list[str]) -> None:
    """`replay --partition N`: exits with 0 once the partition has caught up, with 1 and the reason if it has not."""
    parser = argparse.ArgumentParser(prog="python -m wallet_cqrs.projection replay", description=__doc__)
    parser.add_argument("--partition", type=int, required=True)
    partition: int = parser.parse_args(arguments).partition
    settings = ReplaySettings()
    if partition not in range(len(settings.read_urls)):
        parser.error(f"there are partitions 0 to {len(settings.read_urls) - 1}, not {partition}")
    problem = asyncio.run(_replay(settings, partition))
    if problem:
        sys.exit(f"partition stands still: {problem}")
    print("the partition has caught up")  # noqa: T201 -- the command's answer


async def _replay(settings: ReplaySettings, partition: int) -> str | None:
    pool = open_pool(settings.event_store_url.get_secret_value(), "replay")
    prepare = verify_read_shard(partition, len(settings.read_urls))
    async with pool, Store(settings.read_urls[partition].get_secret_value(), prepare=prepare) as store:
        head = await EventLog(pool).head()
        await store.resume()
        # The projection meets the gap with the next message, a heartbeat at the latest, and fills it from the store.
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            position, stopped = await store.progress()
            if stopped or position >= head:
                return stopped
            await asyncio.sleep(_POLL_S)
    return f"it is not there after {WAIT_S:.0f} s; is the projection running?"
