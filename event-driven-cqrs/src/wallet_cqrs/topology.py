"""Compares the number of partitions in the settings with the one in the databases.

Each partition has one read shard. If two services are configured with different numbers, the projection writes a wallet
to one read shard, and the query service reads it from another and does not find it.
"""

from functools import partial

from wallet_kernel.database import Prepare
from wallet_kernel.topology import Placement, Topology
from wallet_kernel.topology_table import verify

_SETTINGS = "WALLET_READ_URLS"


def verify_read_shard(number: int, partitions: int) -> Prepare:
    """Returns a check that a connection leads to this read shard. It raises OtherTopology if not."""
    return partial(verify, expected=Placement.even(number, partitions), settings=_SETTINGS)


def verify_log(partitions: int) -> Prepare:
    """Returns a check that the event store has this number of partitions. It raises OtherTopology if not."""
    return partial(verify, expected=Topology.even(partitions), settings=_SETTINGS)
