"""Assigns samples to groups, such as the event loop or the client of Postgres."""

from collections import Counter
from collections.abc import Mapping

from wallet_lab.workload.profile.stacks import Frame, Stack

LOOP = "event loop, sockets"
HTTP_SERVER = "HTTP server"
HTTP_CLIENT = "HTTP client"
POSTGRES = "Postgres client"
BROKER = "broker client"
REDIS = "Redis client"
CODECS = "MessagePack, JSON"
METRICS = "metrics"
TRACING = "tracing"
LOGGING = "logging"
OTHER = "other"
NAMED = (LOOP, HTTP_SERVER, HTTP_CLIENT, POSTGRES, BROKER, REDIS, CODECS, METRICS, TRACING, LOGGING)
"""In the order of the table. The project's own modules follow."""

_PREFIXES = {
    HTTP_SERVER: (
        *("httptools/", "uvicorn/", "starlette/", "fastapi/", "h11/", "llhttp.c", "parser.c"),
        *("wallet_kernel/runtime/connection.py", "wallet_kernel/runtime/transport.py"),
        *("wallet_kernel/runtime/server.py", "wallet_kernel/runtime/sockets.py", "wallet_kernel/http.py"),
    ),
    HTTP_CLIENT: (
        *("aiohttp/", "yarl/", "multidict/", "propcache/", "frozenlist/", "aiosignal/", "aiohappyeyeballs/"),
        *("_http_parser.c", "_http_writer.c"),
    ),
    POSTGRES: ("asyncpg/", "protocol.c", "pgproto.c", "recordobj.c", "wallet_kernel/database.py"),
    BROKER: ("aio_pika/", "aiormq/", "pamqp/"),
    REDIS: ("redis/", "hiredis/", "wallet_kernel/redis_client.py"),
    CODECS: ("msgspec/", "json/"),
    METRICS: (
        "prometheus_client/",
        "wallet_kernel/runtime/metrics.py",
        "wallet_kernel/runtime/ledger_metrics.py",
    ),
    TRACING: ("opentelemetry/", "wallet_kernel/runtime/traces.py", "wallet_kernel/runtime/spans.py"),
    LOGGING: ("logging/", "structlog/", "wallet_kernel/runtime/logs.py"),
    LOOP: (
        "asyncio/",
        "uvloop/",
        "selectors.py",
        "_asyncio.",
        "loop.c",
        "loop.pyx",
        "linux.c",
        "core.c",
        "stream.c",
    ),
}
_RULES = tuple((prefix, group) for group, prefixes in _PREFIXES.items() for prefix in prefixes)


def by_group(samples: Mapping[Stack, int]) -> Counter[str]:
    """Return the samples of each group."""
    counted: Counter[str] = Counter()
    for stack, number in samples.items():
        counted[group_of(stack)] += number
    return counted


def group_of(stack: Stack) -> str:
    """Return the group of the innermost function that has one. So the standard library counts for its caller."""
    return next((group for frame in reversed(stack) if (group := _group(frame))), OTHER)


def _group(frame: Frame) -> str | None:
    """Return the function's group, its module if it is the project's own, or None for the standard library."""
    for prefix, group in _RULES:
        if frame.file.startswith(prefix):
            return group
    if frame.file.startswith("wallet_"):
        return frame.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    return None


def is_own(group: str) -> bool:
    """Whether the group is one of the project's modules."""
    return group.startswith("wallet_")
