"""Real servers for tests: a whole stack, or a single database, cache or broker.

Tests never touch the user's stack: every home is private, all ports are free ones, and all servers end with the test
process, even if it is killed.
"""

from wallet_lab.stack.backends.native import running_stack
from wallet_lab.stack.running import ComponentStatus, RunningStack
from wallet_lab.testing.detour import detour, forward
from wallet_lab.testing.migrated import migrated_postgres
from wallet_lab.testing.servers import (
    DatabaseUrls,
    PostgresServer,
    RabbitServer,
    RedisServer,
    running_postgres,
    running_rabbitmq,
    running_redis,
)
from wallet_lab.testing.services import SERVICE_SECRET, RunningService, running_service

__all__ = [
    "SERVICE_SECRET",
    "ComponentStatus",
    "DatabaseUrls",
    "PostgresServer",
    "RabbitServer",
    "RedisServer",
    "RunningService",
    "RunningStack",
    "detour",
    "forward",
    "migrated_postgres",
    "running_postgres",
    "running_rabbitmq",
    "running_redis",
    "running_service",
    "running_stack",
]
