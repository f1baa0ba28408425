"""The metrics that both architectures share under the same names, so that dashboards and reports can compare them.

Prometheus adds the architecture as a label when it scrapes, so services need not know it.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from wallet_kernel.contract.problems import Problem
from wallet_kernel.endpoint import LATENCY_BUCKETS_S
from wallet_kernel.http import Handler, Request, Response
from wallet_kernel.tasks import background

disable_created_metrics()  # type: ignore[no-untyped-call] # omits a creation time per counter, which no dashboard uses

TRANSFERS = Counter(
    "wallet_transfers", "Transfers by outcome: success, pending, or the name of the problem.", ["outcome"]
)
RETRIES = Counter("wallet_retries", "Steps or commands sent again because their outcome was unknown.")
CACHE_READS = Counter(
    "wallet_cache_reads", "Balance reads that the cache had (hit) or lacked (miss).", ["result"]
)
CACHE_FAILURES = Counter("wallet_cache_failures", "Balance writes that Redis did not answer.")
TRANSACTION = Histogram(
    "wallet_database_seconds",
    "Time of one batch at the database.",
    buckets=LATENCY_BUCKETS_S,
)
VISIBLE = Histogram(
    "wallet_visible_seconds",
    "Time from a transfer's first durable effect until readers see all its effects.",
    buckets=(*LATENCY_BUCKETS_S, 10, 30, 60),
)
LOOP_LAG = Histogram(
    "wallet_event_loop_lag_seconds",
    "Delay of due callbacks in the event loop, caused by other work.",
    buckets=LATENCY_BUCKETS_S,
)
POOL_IN_USE = Gauge("wallet_pool_in_use", "Database connections of a pool that are in use.", ["pool"])
POOL_MAX = Gauge("wallet_pool_max", "Database connections that a pool may open.", ["pool"])

LOOP_LAG_EVERY_S = 0.1


@cache
def transfers(outcome: str) -> Counter:
    """Returns the counter of transfers with this outcome. Cached, so that a transfer does not look up its label."""
    return TRANSFERS.labels(outcome)


def count_transfers(handler: Handler) -> Handler:
    """Wraps the transfer handler so that its answers and problems are counted by outcome."""

    async def counted(request: Request) -> Response:
        try:
            response = await handler(request)
        except Problem as problem:
            transfers(problem.name).inc()
            raise
        transfers("success" if response.status == 201 else "pending").inc()
        return response

    return counted


class Pool(Protocol):
    """The interface of a connection pool, as in asyncpg."""

    def get_size(self) -> int:
        """Returns the number of open connections."""

    def get_idle_size(self) -> int:
        """Returns the number of open connections that are not in use."""

    def get_max_size(self) -> int:
        """Returns the maximum number of connections."""


def watch_pool(name: str, pool: Pool) -> None:
    """Exports how many connections of a pool are in use, at the time of each scrape."""
    POOL_IN_USE.labels(name).set_function(lambda: pool.get_size() - pool.get_idle_size())
    POOL_MAX.labels(name).set(pool.get_max_size())


def loop_lag_watched() -> AbstractAsyncContextManager[None]:
    """Measures the event loop's lag ten times a second while the body runs."""
    return background(_watch_loop_lag())


async def _watch_loop_lag() -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOP_LAG_EVERY_S
        await asyncio.sleep(LOOP_LAG_EVERY_S)
        LOOP_LAG.observe(max(loop.time() - due, 0))
