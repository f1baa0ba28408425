"""What happens beside the load: a fault that could not be injected is not survived."""

import time
from pathlib import Path
from typing import cast

import pytest

from wallet_lab.chaos.disturbance import Disturbed, disturbing
from wallet_lab.chaos.faults import find
from wallet_lab.errors import LabError
from wallet_lab.running.stack import RunningStack


class NothingToBreak:
    """A stack of no databases whose components are all down already."""

    architecture = "saga"
    database_urls: tuple[str, ...] = ()
    pids: dict[str, int] = {}  # noqa: RUF012 -- never changed

    def kill(self, name: str, _: int) -> int:
        """As a running stack says it."""
        raise LabError(f"{name} is down already")


def wait_for_the_fault(seen: Disturbed) -> None:
    """Until its moment has come."""
    deadline_s = time.monotonic() + 10
    while seen.fault_ms is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.mark.parametrize("fault", ["kill-worker", "pause-worker"])
def test_a_fault_that_could_not_be_made_is_told(fault: str, tmp_path: Path) -> None:
    """Its thread's error comes out of the block: else the report would praise a recovery from nothing."""
    log = tmp_path / "calls.log"
    log.write_text("call …\n")
    stack = cast("RunningStack", NothingToBreak())
    with (
        pytest.raises(LabError, match=f"{fault} could not be injected"),
        disturbing(stack, find("saga", fault), log, 0.0) as seen,
    ):
        wait_for_the_fault(seen)


def test_a_failed_load_is_told_first(tmp_path: Path) -> None:
    """What went wrong in the block itself is not hidden behind the fault that never came."""
    stack = cast("RunningStack", NothingToBreak())
    with (
        pytest.raises(LabError, match="k6 failed"),
        disturbing(stack, find("saga", "kill-worker"), tmp_path / "none", 0.0) as seen,
    ):
        raise LabError("k6 failed")
    assert seen.fault_ms is None
