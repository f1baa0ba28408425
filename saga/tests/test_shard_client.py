"""The orchestrator's connections to the workers."""

from wallet_kernel.runtime.server import KEEP_ALIVE_S as SERVER_KEEP_ALIVE_S
from wallet_saga.orchestrator.shard_client import KEEP_ALIVE_S


def test_orchestrator_closes_idle_connections_before_the_worker_does() -> None:
    """The orchestrator closes idle connections first, because a worker that did so could reset a new request (503)."""
    assert KEEP_ALIVE_S < SERVER_KEEP_ALIVE_S
