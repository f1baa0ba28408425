"""Builds a query service from its parts, and runs it."""

from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from wallet_cqrs.event_log import open_pool
from wallet_cqrs.query import stream_route
from wallet_cqrs.query.balance_reader import BalanceReader
from wallet_cqrs.query.checkpoint_news import follow_checkpoint
from wallet_cqrs.query.history import History
from wallet_cqrs.query.read_shard import ReadShard, open_read_pool
from wallet_cqrs.query.routes import PublicRoutes
from wallet_cqrs.query.settings import QuerySettings
from wallet_cqrs.query.stream_route import BalanceStreams
from wallet_cqrs.query.streams import Announcements, Heartbeats
from wallet_cqrs.topology import verify_read_shard
from wallet_kernel.contract.openapi import openapi
from wallet_kernel.contract.operations import mount
from wallet_kernel.contract.requests import Requests
from wallet_kernel.redis_client import open_cache
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.listeners import internal_listener, public_listener
from wallet_kernel.runtime.logs import configure_logs
from wallet_kernel.runtime.readiness import ReadyCheck
from wallet_kernel.runtime.server import Service, run
from wallet_kernel.tasks import background
from wallet_kernel.topology_table import verify_if_reachable

NAME = "query"
TITLE = "Digital wallet: event-driven CQRS"


def main() -> None:
    """Runs a query service until it receives a stop signal."""
    settings = QuerySettings()
    configure_logs(NAME, settings.log_level)
    run(query(settings))


@asynccontextmanager
async def query(settings: QuerySettings) -> AsyncIterator[Service]:
    """Opens the query service's resources in order, and closes them in reverse order."""
    redis = open_cache(settings.redis_url.get_secret_value())
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(redis)
        history = await _history(settings, opened)
        shards = [await _shard(settings, number, opened) for number in range(len(settings.read_urls))]
        balances = _balances(settings, redis, shards)
        announcements = Announcements(redis)
        # Readiness does not include the event store, because only past balances and transfers need it.
        checks: dict[str, ReadyCheck] = {f"read-{number}": shard.ping for number, shard in enumerate(shards)}
        lifecycle = Lifecycle(settings.in_flight_max, needs_one_of=checks)
        heartbeats = Heartbeats(settings.stream_heartbeat_s, lifecycle)
        streams = BalanceStreams(balances, announcements, heartbeats, settings.streams_max)
        public = PublicRoutes(Requests(frozenset(settings.currencies)), balances, shards, history)
        routes = [*mount(public.handlers()), streams.route()]
        listeners = [
            public_listener(settings, TITLE, routes, document(settings.currencies), lifecycle),
            internal_listener(settings, NAME, lifecycle),
        ]
        async with background(announcements.run(), heartbeats.run(), *_following(settings, shards)):
            yield Service(lifecycle, listeners, settings.drain_timeout_s)


def document(currencies: Iterable[str]) -> dict[str, Any]:
    """Returns the OpenAPI document of all services behind the gateway."""
    contract = openapi(TITLE, currencies, positions=True)
    return contract | {"paths": contract["paths"] | {stream_route.PATH: stream_route.OPENAPI}}


async def _shard(settings: QuerySettings, number: int, opened: AsyncExitStack) -> ReadShard:
    prepare = verify_read_shard(number, len(settings.read_urls))
    pool = open_read_pool(settings.read_urls[number].get_secret_value(), prepare)
    shard = ReadShard(
        number,
        await opened.enter_async_context(pool),
        batch_max=settings.batch_max,
        queue_max=settings.queue_max,
        timeout_s=settings.read_timeout_s,
        position_timeout_s=settings.position_timeout_s,
    )
    await verify_if_reachable(shard.ping)
    return shard


def _following(settings: QuerySettings, shards: list[ReadShard]) -> list[Coroutine[Any, Any, None]]:
    return [
        follow_checkpoint(url.get_secret_value(), shard)
        for url, shard in zip(settings.read_urls, shards, strict=True)
    ]


async def _history(settings: QuerySettings, opened: AsyncExitStack) -> History:
    # Only the server that accepts writes has the latest events: another one may be a former primary.
    pool = open_pool(settings.event_store_url.get_secret_value(), NAME, target_session_attrs="read-write")
    return History(
        await opened.enter_async_context(pool),
        timeout_s=settings.event_store_timeout_s,
        waiting_max=settings.queue_max,
        position_timeout_s=settings.position_timeout_s,
    )


def _balances(settings: QuerySettings, redis: "Redis", shards: list[ReadShard]) -> BalanceReader:
    return BalanceReader(
        redis,
        shards,
        cache_ttl_s=settings.cache_ttl_s,
        cache_timeout_s=settings.cache_timeout_s,
        batch_max=settings.batch_max,
        queue_max=settings.queue_max,
    )
