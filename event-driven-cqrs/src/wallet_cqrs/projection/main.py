"""Builds a projection from its parts, and runs it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from redis.asyncio import Redis

from wallet_cqrs.event_log import EventLog, open_pool
from wallet_cqrs.projection.cache import BalanceCache
from wallet_cqrs.projection.consumer import Consumer
from wallet_cqrs.projection.projector import Projector
from wallet_cqrs.projection.settings import ProjectionSettings
from wallet_cqrs.projection.store import Store
from wallet_cqrs.topology import verify_read_shard
from wallet_kernel.redis_client import open_cache
from wallet_kernel.runtime.ledger_metrics import ledger_watched
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.listeners import internal_listener
from wallet_kernel.runtime.logs import configure_logs
from wallet_kernel.runtime.readiness import ReadyCheck
from wallet_kernel.runtime.server import Service, run
from wallet_kernel.runtime.traces import configure_traces
from wallet_kernel.tasks import background
from wallet_kernel.topology_table import verify_if_reachable

NAME = "projection"


def main() -> None:
    """Runs a projection until it receives a stop signal."""
    settings = ProjectionSettings()
    configure_logs(NAME, settings.log_level)
    configure_traces(NAME, settings)
    run(projection(settings))


@asynccontextmanager
async def projection(settings: ProjectionSettings) -> AsyncIterator[Service]:
    """Opens the projection's resources in order, and closes them in reverse order."""
    redis = open_cache(settings.redis_url.get_secret_value())
    async with AsyncExitStack() as opened:
        pool = await opened.enter_async_context(open_pool(settings.event_store_url.get_secret_value(), NAME))
        log = EventLog(pool)
        await opened.enter_async_context(redis)
        stores = [
            await opened.enter_async_context(
                Store(url.get_secret_value(), prepare=verify_read_shard(number, len(settings.read_urls)))
            )
            for number, url in enumerate(settings.read_urls)
        ]
        for store in stores:
            await verify_if_reachable(store.ping)
        consumers = [_consumer(settings, number, store, log, redis) for number, store in enumerate(stores)]
        partitions: dict[str, ReadyCheck] = {
            f"partition-{number}": consumer.check for number, consumer in enumerate(consumers)
        }
        databases: dict[str, ReadyCheck] = {
            f"read-{number}": store.ping for number, store in enumerate(stores)
        }
        lifecycle = Lifecycle(settings.in_flight_max, {"event-store": log.ping, **databases, **partitions})
        for number, store in enumerate(stores):
            await opened.enter_async_context(ledger_watched(number, store, settings.books_interval_s))
        # The end may interrupt a batch. The broker delivers unacknowledged messages again.
        async with background(*(consumer.run() for consumer in consumers)):
            yield Service(lifecycle, [internal_listener(settings, NAME, lifecycle)], settings.drain_timeout_s)


def _consumer(
    settings: ProjectionSettings, number: int, store: Store, log: EventLog, redis: "Redis"
) -> Consumer:
    partitions = len(settings.read_urls)
    projector = Projector(
        number,
        partitions,
        store=store,
        log=log,
        cache=BalanceCache(redis, settings.cache_ttl_s, settings.cache_timeout_s),
        chunk_max=settings.chunk_max,
        wallets_max=settings.wallets_max,
    )
    return Consumer(settings.broker_url.get_secret_value(), projector, partitions, settings.prefetch_max)
