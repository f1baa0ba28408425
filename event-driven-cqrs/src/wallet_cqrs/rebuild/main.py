"""Rebuilds or verifies the read models of all read shards, or begins a new epoch of the log."""

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack

from wallet_cqrs.event_log import AnotherEpoch, EventLog, open_pool
from wallet_cqrs.rebuild import statements
from wallet_cqrs.rebuild.models import Comparison, RebuildFailed, TwinModels
from wallet_cqrs.rebuild.rebuild import build, together
from wallet_cqrs.rebuild.settings import RebuildSettings
from wallet_cqrs.topology import verify_read_shard
from wallet_kernel.database import DATABASE_ERRORS
from wallet_kernel.runtime.logs import configure_logs
from wallet_kernel.topology import OtherTopology


def main() -> None:
    """Exits with 0 if the models were swapped or are equal, else with 1 and the differences or the reason."""
    parser = argparse.ArgumentParser(prog="python -m wallet_cqrs.rebuild", description=__doc__)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--verify", action="store_true", help="compare with the live read model instead of swapping"
    )
    instead.add_argument(
        "--new-epoch",
        action="store_true",
        help="only begin a new epoch of the log; use it after a restore that the services did not detect",
    )
    arguments = parser.parse_args()
    settings = RebuildSettings()
    configure_logs("rebuild", settings.log_level)
    try:
        if arguments.new_epoch:
            asyncio.run(_begin_epoch(settings))
            return
        is_good = asyncio.run(_run(settings, verify=arguments.verify))
    except (RebuildFailed, OtherTopology, AnotherEpoch) as error:
        sys.exit(str(error))
    except DATABASE_ERRORS as error:
        sys.exit(f"a database is unavailable: {error!r}. Run the command again when it answers.")
    sys.exit(0 if is_good else 1)


async def _run(settings: RebuildSettings, *, verify: bool) -> bool:
    async with AsyncExitStack() as opened:
        pool = await opened.enter_async_context(
            open_pool(settings.event_store_url.get_secret_value(), "rebuild")
        )
        log = EventLog(pool)
        shards = [
            await opened.enter_async_context(_models(number, url.get_secret_value(), settings))
            for number, url in enumerate(settings.read_urls)
        ]
        position = await build(log, shards, settings.chunk_max)
        if not verify:
            await together(*(shard.require_swappable(log) for shard in shards))
            for lost in await together(*(shard.swap(log, len(shards)) for shard in shards)):
                if lost:
                    _say(f"replaced: {lost}")
            _say(f"rebuilt {len(shards)} shards from {position} events; the fresh read models are live")
            return True
        timeout_s = settings.catch_up_timeout_s
        comparisons = [await shard.compare(log, len(shards), timeout_s) for shard in shards]
        for number, comparison in enumerate(comparisons):
            _report(number, comparison)
        return not any(comparison.differences for comparison in comparisons)


def _models(number: int, url: str, settings: RebuildSettings) -> TwinModels:
    return TwinModels(number, url, verify_read_shard(number, len(settings.read_urls)))


async def _begin_epoch(settings: RebuildSettings) -> None:
    async with open_pool(settings.event_store_url.get_secret_value(), "rebuild") as pool:
        epoch = await pool.fetchval(statements.BEGIN_EPOCH)
        position = await EventLog(pool).head()
    _say(
        f"epoch {epoch} of the log began after position {position}; now rebuild the read model: ./lab rebuild"
    )


def _report(number: int, comparison: Comparison) -> None:
    verdict = "differs from" if comparison.differences else "equals"
    _say(f"shard {number}: the live read model {verdict} the events at position {comparison.position}")
    for difference in comparison.differences:
        _say(f"  {difference}")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 -- the command's answer
