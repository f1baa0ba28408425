"""The settings of a projection."""

from pydantic import Field, SecretStr

from wallet_kernel.runtime.settings import SecretList, ServiceSettings


class ProjectionSettings(ServiceSettings):
    """Settings of a projection, from the environment (`WALLET_…`)."""

    event_store_url: SecretStr = Field(description="The event store's Postgres, as the role wallet_service.")
    read_urls: SecretList = Field(
        description="The read shards' Postgres, as the role wallet_service; the order is the partitions'.",
        min_length=1,
    )
    redis_url: SecretStr = Field(description="Redis, for cached balances and announcements.")
    broker_url: SecretStr = Field(description="RabbitMQ (amqp://…).")
    prefetch_max: int = Field(
        32, gt=0, description="Maximum number of unacknowledged messages of a partition."
    )
    chunk_max: int = Field(2000, gt=0, description="Events in one query of the event store, to fill a gap.")
    wallets_max: int = Field(
        20_000, gt=0, description="Wallets of a partition kept in memory, about 0.4 KiB each."
    )
    cache_ttl_s: float = Field(
        10.0,
        gt=0,
        description="How long a balance stays in Redis; the same for projection and query service.",
    )
    cache_timeout_s: float = Field(0.2, gt=0, description="How long Redis may take to answer.")
    books_interval_s: float = Field(15.0, gt=0, description="How often the read shards' ledgers are checked.")
