"""Wires a query service."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from redis.asyncio import Redis

from wallet_cqrs.event_log import open_pool
from wallet_cqrs.query import stream_route
from wallet_cqrs.query.balance_reader import BalanceReader
from wallet_cqrs.query.history import History
from wallet_cqrs.query.read_shard import ReadShard, open_read_pool
from wallet_cqrs.query.routes import PublicRoutes
from wallet_cqrs.query.settings import QuerySettings
from wallet_cqrs.query.stream_route import BalanceStreams
from wallet_cqrs.query.streams import Announcements
from wallet_cqrs.topology import verify_read_shard
from wallet_kernel.cache import open_cache
from wallet_kernel.contract.openapi import openapi
from wallet_kernel.contract.operations import mount
from wallet_kernel.contract.requests import Requests
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.listeners import own_listener, public_listener
from wallet_kernel.runtime.logs import configure_logs
from wallet_kernel.runtime.readiness import ReadyCheck
from wallet_kernel.runtime.server import Service, run
from wallet_kernel.topology_table import verify_if_reachable

NAME = "query"
TITLE = "Digital wallet: event-driven CQRS"


def main() -> None:
    """Runs a query service until it is told to stop."""
    settings = QuerySettings()
    configure_logs(NAME, settings.log_level)
    run(query(settings))


@asynccontextmanager
async def query(settings: QuerySettings) -> AsyncIterator[Service]:
    """The query service's resources, opened in order and closed in reverse."""
    redis = open_cache(settings.redis_url.get_secret_value())
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(redis)
        history = History(
            await opened.enter_async_context(open_pool(settings.event_store_url.get_secret_value(), NAME))
        )
        shards = [await _shard(settings, number, opened) for number in range(len(settings.read_urls))]
        balances = _balances(settings, redis, shards)
        announcements = Announcements(redis)
        # The event store is not a condition: without it, only the past is out of reach.
        checks: dict[str, ReadyCheck] = {f"read-{number}": shard.ping for number, shard in enumerate(shards)}
        lifecycle = Lifecycle(settings.in_flight_max, needs_one_of=checks)
        streams = BalanceStreams(
            balances, announcements, lifecycle, settings.streams_max, settings.stream_heartbeat_s
        )
        public = PublicRoutes(
            Requests(frozenset(settings.currencies)), balances, shards, history, settings.position_timeout_s
        )
        routes = [*mount(public.handlers()), streams.route()]
        delivering = asyncio.create_task(announcements.run())
        yield Service(
            lifecycle,
            [
                public_listener(settings, TITLE, routes, document(settings.currencies), lifecycle),
                own_listener(settings, NAME, lifecycle),
            ],
            settings.drain_timeout_s,
        )
        delivering.cancel()
        with suppress(asyncio.CancelledError):
            await delivering


def document(currencies: Iterable[str]) -> dict[str, Any]:
    """The OpenAPI document of the whole architecture, also of what other services serve behind the same gateway."""
    contract = openapi(TITLE, currencies, positions=True)
    return contract | {"paths": contract["paths"] | {stream_route.PATH: stream_route.OPENAPI}}


async def _shard(settings: QuerySettings, number: int, opened: AsyncExitStack) -> ReadShard:
    prepare = verify_read_shard(number, len(settings.read_urls))
    pool = open_read_pool(settings.read_urls[number].get_secret_value(), prepare)
    shard = ReadShard(number, await opened.enter_async_context(pool), settings.batch_max, settings.queue_max)
    await verify_if_reachable(shard.ping)
    return shard


def _balances(settings: QuerySettings, redis: "Redis", shards: list[ReadShard]) -> BalanceReader:
    return BalanceReader(
        redis,
        shards,
        cache_ttl_s=settings.cache_ttl_s,
        cache_timeout_s=settings.cache_timeout_s,
        position_timeout_s=settings.position_timeout_s,
        batch_max=settings.batch_max,
        queue_max=settings.queue_max,
    )
