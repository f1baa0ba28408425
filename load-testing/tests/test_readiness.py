"""The wait until a component is ready."""

import asyncio
import subprocess

import pytest

from wallet_lab.blocking import run_blocking
from wallet_lab.stack.components import HttpProbe
from wallet_lab.stack.health import readiness
from wallet_lab.stack.health.readiness import is_ready, why_not_ready

NOTHING_LISTENS = HttpProbe(1, "/")


@pytest.mark.anyio
@pytest.mark.parametrize("turns", range(8))
async def test_a_probe_can_be_cancelled_at_any_moment(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a probe is cancelled while its answer arrives, it ends, so that no wait for readiness outlives its timeout."""

    async def answers_soon(*_: object) -> bool:
        for _turn in range(3):
            await asyncio.sleep(0)
        return False

    monkeypatch.setattr(readiness, "_answers", answers_soon)
    probe = asyncio.create_task(is_ready(NOTHING_LISTENS))
    for _ in range(turns):
        await asyncio.sleep(0)
    was_done = not probe.cancel()
    await asyncio.wait({probe})
    assert probe.cancelled() is not was_done


def test_wait_ends_when_the_process_ends() -> None:
    """If the process of a component ends before it is ready, the wait ends with its exit code."""
    with subprocess.Popen(["false"]) as process:
        assert run_blocking(why_not_ready(NOTHING_LISTENS, process, timeout_s=60)) == "exited with code 1"


def test_wait_ends_at_the_timeout() -> None:
    """If a component runs but is not ready in time, the reason names the timeout."""
    with subprocess.Popen(["sleep", "60"]) as process:
        reason = run_blocking(why_not_ready(NOTHING_LISTENS, process, timeout_s=0.2))
        process.kill()
    assert reason == "was not ready after 0 s"
