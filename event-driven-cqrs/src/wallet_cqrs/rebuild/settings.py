"""The settings of a rebuild."""

from pydantic import Field, SecretStr

from wallet_kernel.runtime.settings import SecretList, Settings


class RebuildSettings(Settings):
    """Settings of a rebuild, from the environment (`WALLET_…`)."""

    event_store_url: SecretStr = Field(description="The event store's Postgres, as the role wallet_service.")
    read_urls: SecretList = Field(
        description="The read shards' Postgres in their order, as the role wallet_owner.", min_length=1
    )
    log_level: str = Field("warning", description="debug, info, warning or error.")
    chunk_max: int = Field(5000, gt=0, description="Events that are read and applied together.")
    catch_up_timeout_s: float = Field(
        60.0, gt=0, description="How long a comparison waits for the live model."
    )
