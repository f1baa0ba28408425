"""Wires a wallet worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from wallet_kernel.redis_client import open_cache
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.listeners import internal_listener
from wallet_kernel.runtime.logs import configure_logs
from wallet_kernel.runtime.server import Service, run
from wallet_kernel.runtime.traces import configure_traces
from wallet_kernel.topology_table import verify_if_reachable
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.cache import BalanceCache
from wallet_saga.worker.routes import InternalRoutes
from wallet_saga.worker.settings import WorkerSettings
from wallet_saga.worker.shard_metrics import shard_watched
from wallet_saga.worker.store import Store


def main() -> None:
    """Runs a worker until it receives a stop signal."""
    settings = WorkerSettings()
    name = f"worker-{settings.shard}"
    configure_logs(name, settings.log_level)
    configure_traces(name, settings)
    run(worker(settings, name))


@asynccontextmanager
async def worker(settings: WorkerSettings, name: str) -> AsyncIterator[Service]:
    """Opens the worker's resources, yields its service, and closes the resources in reverse order."""
    lease = timedelta(seconds=settings.saga_lease_s)
    async with Store(settings.database_url.get_secret_value(), lease, settings.placement) as store:
        await verify_if_reachable(store.ping)
        redis = open_cache(settings.redis_url.get_secret_value())
        cache = BalanceCache(redis, settings.cache_lease_s, settings.cache_timeout_s)
        await cache.start()
        writer = BatchWriter(store, cache, settings.batch_max, settings.queue_max)
        lifecycle = Lifecycle(settings.in_flight_max, {"writer": writer.check})
        routes = InternalRoutes(settings.placement, writer, store).routes()
        async with (
            writer.running(settings.takeover_s),
            shard_watched(settings.shard, store, settings.books_interval_s),
        ):
            listeners = [internal_listener(settings, name, lifecycle, routes)]
            yield Service(lifecycle, listeners, settings.drain_timeout_s)
        await cache.close()
