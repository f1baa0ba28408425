"""Limits of the worker's settings."""

from typing import Any

import pytest
from pydantic import ValidationError

from wallet_saga.worker.cache import CLOCK_SKEW_MAX_S
from wallet_saga.worker.settings import WorkerSettings
from wallet_saga.worker.store import SILENCE_MAX_S

LONGEST_S = {"cache_lease_s": 3, "cache_timeout_s": 1}


@pytest.mark.parametrize("name", LONGEST_S)
def test_batch_waits_for_redis_for_less_time_than_a_session_may_be_idle(name: str) -> None:
    """The settings limit how long a batch waits for Redis, because Postgres ends an idle session of the writer."""
    assert sum(LONGEST_S.values()) + CLOCK_SKEW_MAX_S < SILENCE_MAX_S
    with pytest.raises(ValidationError, match=name):
        settings(**{name: LONGEST_S[name] + 0.1})
    assert getattr(settings(**{name: LONGEST_S[name]}), name) == LONGEST_S[name]


def settings(**changed: Any) -> WorkerSettings:
    required: dict[str, Any] = {"port": 1, "service_secret": "x" * 16, "shard": 0, "shards": 1}
    return WorkerSettings(**required, database_url="postgresql://", redis_url="redis://", **changed)
