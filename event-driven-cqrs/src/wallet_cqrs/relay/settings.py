"""The settings of a relay."""

from pydantic import Field, SecretStr

from wallet_kernel.runtime.settings import SecretList, ServiceSettings


class RelaySettings(ServiceSettings):
    """Settings of a relay, from the environment (`WALLET_…`)."""

    event_store_url: SecretStr = Field(description="The event store's Postgres, as the role wallet_service.")
    broker_url: SecretStr = Field(description="RabbitMQ.")
    read_urls: SecretList = Field(
        description="The read shards; the relay needs only their number.", min_length=1
    )
    group_max: int = Field(
        1000,
        gt=0,
        description="Maximum number of events in a batch; the relay publishes one batch at a time.",
    )
    group_interval_s: float = Field(
        0.02,
        ge=0,
        description="Minimum time from the start of a batch of ten or more events to the start of the next. "
        "It is 0.2 ms for each event, at most 0.05 s, if that is longer.",
    )
    heartbeat_s: float = Field(1.0, gt=0, description="How often an idle relay publishes the end of the log.")
    confirm_timeout_s: float = Field(
        10.0, gt=0, description="How long the broker may take to confirm a batch."
    )
    takeover_s: float = Field(0.5, gt=0, description="How often a standby tries to become the active relay.")
