"""Settings of the event store's migrations."""

from pydantic import Field

from wallet_kernel.migrations import MigrationSettings
from wallet_kernel.slots import SLOTS
from wallet_kernel.topology import Topology


class LogMigrationSettings(MigrationSettings):
    """Settings of the event store's migrations: the number of read shards that its events are distributed over."""

    shards: int = Field(
        ge=1, le=SLOTS, description="The number of read shards; it cannot change after the first migration."
    )

    @property
    def topology(self) -> Topology:
        """The topology that the event store must have."""
        return Topology.even(self.shards)
