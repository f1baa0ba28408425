"""A fault that could not be injected must not be reported as a recovery."""

import time
from pathlib import Path
from typing import cast

import pytest

from wallet_lab.architectures.saga.adapter import ARCHITECTURE
from wallet_lab.errors import LabError
from wallet_lab.nemesis.faults import find
from wallet_lab.nemesis.injection import Injection, injecting
from wallet_lab.stack.running import RunningStack


class NothingToBreak:
    """A stack without databases whose components are all down."""

    architecture = "saga"
    database_urls: tuple[str, ...] = ()
    pids: dict[str, int] = {}  # noqa: RUF012 -- never changed

    def kill(self, name: str, _: int) -> int:
        """Raise the error of a running stack."""
        raise LabError(f"{name} is down already")


def wait_for_the_fault(seen: Injection) -> None:
    """Wait until the time of the fault."""
    deadline_s = time.monotonic() + 10
    while seen.fault_ms is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.mark.parametrize("fault", ["kill-worker", "pause-worker"])
def test_a_fault_that_could_not_be_made_is_told(fault: str, tmp_path: Path) -> None:
    """If the fault cannot be injected, the block raises the error of the fault's thread."""
    log = tmp_path / "calls.log"
    log.write_text("call …\n")
    stack = cast("RunningStack", NothingToBreak())
    with (
        pytest.raises(LabError, match=f"{fault} could not be injected"),
        injecting(stack, find(ARCHITECTURE, fault), log, 0.0) as seen,
    ):
        wait_for_the_fault(seen)


def test_a_failed_load_is_told_first(tmp_path: Path) -> None:
    """If the load fails in the block, its error is raised, not that of the missing fault."""
    stack = cast("RunningStack", NothingToBreak())
    with (
        pytest.raises(LabError, match="k6 failed"),
        injecting(stack, find(ARCHITECTURE, "kill-worker"), tmp_path / "none", 0.0) as seen,
    ):
        raise LabError("k6 failed")
    assert seen.fault_ms is None
