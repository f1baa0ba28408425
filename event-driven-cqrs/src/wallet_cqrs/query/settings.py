"""The settings of a query service."""

from pydantic import Field, SecretStr

from wallet_kernel.runtime.settings import PublicSettings, SecretList


class QuerySettings(PublicSettings):
    """Settings of a query service, from the environment (`WALLET_…`)."""

    event_store_url: SecretStr = Field(description="The event store's Postgres, as the role wallet_service.")
    read_urls: SecretList = Field(
        description="The read shards' Postgres, as the role wallet_service; the order is the partitions'.",
        min_length=1,
    )
    redis_url: SecretStr = Field(description="Redis, for cached balances and announcements.")
    position_timeout_s: float = Field(5.0, gt=0, description="How long a read may wait for its min_position.")
    read_timeout_s: float = Field(3.0, gt=0, description="How long a read shard may take to answer.")
    event_store_timeout_s: float = Field(
        3.0,
        gt=0,
        description="How long the event store may take to answer lookups and reads of past balances.",
    )
    batch_max: int = Field(500, gt=0, description="Maximum number of balances in one query.")
    queue_max: int = Field(
        1000,
        gt=0,
        description="Reads that may wait for a shard's balances, and the same number for each database's position; "
        "above that, 503.",
    )
    cache_ttl_s: float = Field(
        10.0,
        gt=0,
        description="How long a balance stays in Redis; the same for projection and query service.",
    )
    cache_timeout_s: float = Field(0.2, gt=0, description="How long Redis may take to answer.")
    streams_max: int = Field(
        1000, gt=0, description="Balance streams served at the same time; above that, 503."
    )
    stream_heartbeat_s: float = Field(
        5.0, gt=0, description="How often an idle stream sends a comment, as a heartbeat."
    )
