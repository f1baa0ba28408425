"""Settings of the baselines."""

from pydantic import Field, SecretStr

from wallet_kernel.runtime.settings import PublicSettings, SecretList


class BaselineSettings(PublicSettings):
    """Settings of every baseline, from the environment (`WALLET_…`)."""

    deadline_s: float = Field(
        4.0, gt=0, description="How long a request may take before its client gets 202 or 503."
    )
    connections_max: int = Field(
        12, gt=0, description="Connections to a database for writes, and the same number for reads."
    )
    queue_max: int = Field(
        10_000, gt=0, description="Requests that may wait for a connection or a batch; above that, 503."
    )


class AcidSettings(BaselineSettings):
    """Settings of the baseline acid."""

    database_url: SecretStr = Field(description="The Postgres, as the role wallet_service.")

    @property
    def url(self) -> str:
        """The database's address, with its password."""
        return self.database_url.get_secret_value()


class AcidBatchedSettings(AcidSettings):
    """Settings of the baseline acid-batched."""

    batch_max: int = Field(1000, gt=0, description="Maximum number of commands in one transaction.")


class TwoPhaseSettings(BaselineSettings):
    """Settings of the baseline two-phase."""

    database_urls: SecretList = Field(
        description="The Postgres of each shard, in order, as the role wallet_service.", min_length=1
    )
    recovery_interval_s: float = Field(
        0.5, gt=0, description="How often recovery looks for in-doubt transactions."
    )
    in_doubt_s: float = Field(
        2.0, gt=0, description="How long recovery leaves a prepared transaction to its own coordinator."
    )
