"""What the saga's tests share."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, as the services do."""
    return "asyncio"
