"""Settings of an orchestrator."""

from pydantic import Field, SecretStr

from wallet_kernel.runtime.settings import CommaList, PublicSettings


class OrchestratorSettings(PublicSettings):
    """Settings of an orchestrator, from the environment (`WALLET_…`)."""

    worker_urls: CommaList = Field(
        description="The workers' own ports, in the order of their shards.", min_length=1
    )
    redis_url: SecretStr = Field(description="Redis with the balance cache.")
    deadline_s: float = Field(
        4.0, gt=0, description="How long a request may take before its client gets 202 or 503."
    )
    step_timeout_s: float = Field(2.0, gt=0, description="How long a worker may take for a batch of steps.")
    batch_max: int = Field(500, gt=0, description="Maximum number of steps in one call to a worker.")
    queue_max: int = Field(10_000, gt=0, description="Steps that may wait for a worker.")
    recovery_interval_s: float = Field(1.0, gt=0, description="How often recovery looks for abandoned sagas.")
    saga_lease_s: float = Field(
        5.0, gt=0, description="How long a claimed saga is leased to one orchestrator."
    )
    cache_timeout_s: float = Field(0.2, gt=0, description="How long Redis may take to answer.")
