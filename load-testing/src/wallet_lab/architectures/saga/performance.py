"""The performance targets of the saga, and how its components multiply."""

from collections.abc import Mapping

from wallet_lab.architectures.adapter import Scaling

TARGETS: Mapping[str, float] = {
    "cpu-hot-pair-200": 2.5,
    "cpu-uniform-1k-200": 3.2,
    "cpu-hot-pair-50": 3.5,
    "cpu-uniform-1k-50": 4.5,
    "throughput-hot-pair-200": 5.0,
    "throughput-uniform-1k-200": 3.5,
    "throughput-hot-pair-50": 3.0,
    "throughput-uniform-1k-50": 2.0,
    "lone-p50": 0.5,
    "capacity": 2.0,
    "cpu-reads": 2.0,
    "cpu-reads-without-cache": 3.0,
    # No row of the consistency delay: every read is fresh, and the audit of each run fails if one is not.
    "hot-over-uniform-200": 0.95,
    "hot-over-uniform-50": 0.95,
    "many-over-few-wallets": 0.8,
    "cpu-shards-equal-each": 1.15,
    "cpu-shards-equal-in-all": 1.3,
    "cpu-wallets": 1.01,
    "cpu-rows": 1.15,
    "memory-service": 86.0,
    "memory-database": 292.0,
    "memory-service-1m": 86.0,
    "memory-database-1m": 292.0,
}
"""By the row's key (`comparison/targets/rows.py`)."""

SCALING: Mapping[str, Scaling] = {
    "orchestrator": "replicas",
    # The worker is the only writer of its shard, and writes over one connection.
    "worker": "shards",
    "postgres": "shards",
    "redis": "one process",
    "gateway": "replicas",
}
