"""The performance targets of cqrs, and how its components multiply."""

from collections.abc import Mapping

from wallet_lab.architectures.adapter import Scaling

TARGETS: Mapping[str, float] = {
    "cpu-hot-pair-200": 3.0,
    "cpu-uniform-1k-200": 3.5,
    "cpu-hot-pair-50": 4.0,
    "cpu-uniform-1k-50": 4.5,
    "throughput-hot-pair-200": 4.0,
    "throughput-uniform-1k-200": 3.0,
    "throughput-hot-pair-50": 2.5,
    "throughput-uniform-1k-50": 1.8,
    "lone-p50": 0.6,
    "capacity": 2.0,
    "cpu-reads": 2.0,
    "cpu-reads-without-cache": 3.0,
    "delay-idle-p50": 4.0,
    "delay-loaded-p50": 8.0,
    "delay-loaded-p99": 40.0,
    "hot-over-uniform-200": 0.95,
    "hot-over-uniform-50": 0.95,
    "many-over-few-wallets": 0.8,
    "cpu-wallets": 1.11,
    "cpu-rows": 1.15,
    "memory-service": 86.0,
    "memory-database": 292.0,
    "memory-service-1m": 86.0,
    "memory-database-1m": 292.0,
}
"""By the row's key (`comparison/targets/rows.py`)."""

SCALING: Mapping[str, Scaling] = {
    "gateway": "replicas",
    "command": "replicas",
    # The log head allows one append at a time.
    "postgres-events": "one process",
    # One relay is active; the others stand by.
    "relay": "one process",
    "rabbitmq": "one machine",
    "projection": "shards",
    "postgres-read": "shards",
    "redis": "one process",
    "query": "replicas",
}
