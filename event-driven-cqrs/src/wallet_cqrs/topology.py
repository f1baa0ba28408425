"""How services compare the partitions they know with those of the databases.

A partition is a read shard. With another number of partitions, a wallet's events go to one read shard and its readers
ask another, which has no such wallet.
"""

from functools import partial

from wallet_kernel.database import Prepare
from wallet_kernel.topology import Placement, Topology
from wallet_kernel.topology_table import verify

_SETTINGS = "WALLET_READ_URLS"


def verify_read_shard(number: int, partitions: int) -> Prepare:
    """Checks that a connection leads to this read shard. The check raises OtherTopology."""
    return partial(verify, expected=Placement.even(number, partitions), settings=_SETTINGS)


def verify_log(partitions: int) -> Prepare:
    """Checks that the event store's events are distributed over so many read shards. The check raises OtherTopology."""
    return partial(verify, expected=Topology.even(partitions), settings=_SETTINGS)
