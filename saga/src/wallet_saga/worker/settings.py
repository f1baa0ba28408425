"""Settings of a wallet worker."""

from pydantic import Field, SecretStr

from wallet_kernel.runtime.settings import ServiceSettings
from wallet_kernel.slots import SLOTS
from wallet_kernel.topology import Placement


class WorkerSettings(ServiceSettings):
    """Settings of a wallet worker, from the environment (`WALLET_…`)."""

    shard: int = Field(ge=0, description="The number of this worker's shard.")
    shards: int = Field(
        ge=1, le=SLOTS, description="The number of shards; it must equal the number in the database."
    )
    database_url: SecretStr = Field(description="The shard's Postgres, as the role wallet_service.")
    redis_url: SecretStr = Field(description="Redis with the balance cache.")
    batch_max: int = Field(1000, gt=0, description="Maximum number of steps in one transaction.")
    queue_max: int = Field(20_000, gt=0, description="Steps that may wait; above that, 503.")
    takeover_s: float = Field(0.5, gt=0, description="How often a standby tries to become the writer.")
    saga_lease_s: float = Field(
        5.0, gt=0, description="How long recovery leaves a new saga to its own orchestrator."
    )
    # At most 4 s together, because Postgres ends the writer's session if it waits longer than SILENCE_MAX_S.
    cache_lease_s: float = Field(
        1.0,
        gt=0,
        le=3,
        description="How long a cached balance may be shown. If Redis fails, steps wait this long once. At most 3."
        " Before you lower it, stop the workers of the shard.",
    )
    cache_timeout_s: float = Field(
        0.5, gt=0, le=1, description="How long Redis may take to answer. At most 1."
    )
    books_interval_s: float = Field(15.0, gt=0, description="How often the shard's books are checked.")

    @property
    def placement(self) -> Placement:
        """The worker's shard and topology."""
        return Placement.even(self.shard, self.shards)
