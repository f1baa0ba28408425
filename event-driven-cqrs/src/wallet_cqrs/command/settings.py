"""The settings of a command service."""

from pydantic import Field, SecretStr

from wallet_kernel.runtime.settings import PublicSettings


class CommandSettings(PublicSettings):
    """Settings of a command service, from the environment (`WALLET_…`)."""

    public_port: int = Field(
        description="The port of the API's writes, behind the gateway; replicas may share it."
    )
    event_store_url: SecretStr = Field(description="The event store's Postgres, as the role wallet_service.")
    deadline_s: float = Field(
        4.0, gt=0, description="How long a request may take before its outcome is unknown."
    )
    batch_max: int = Field(1000, gt=0, description="Maximum number of commands in one transaction.")
    queue_max: int = Field(20_000, gt=0, description="Commands that may wait; above that, 503.")
    wallets_max: int = Field(150_000, gt=0, description="Folded wallets kept in memory, about 0.3 KiB each.")
    snapshot_every: int = Field(100, gt=0, description="Versions of a wallet between two snapshots.")
