"""What happens beside the load: the fault, once, and looks at the backlog all along.

In a thread of its own: the main one waits for k6, whose process the kernel ties to the thread that started it.
"""

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from wallet_lab.chaos.backlog import BacklogReader
from wallet_lab.chaos.faults import Fault
from wallet_lab.chaos.recovery import Backlog
from wallet_lab.errors import LabError
from wallet_lab.running.stack import RunningStack
from wallet_lab.supervision.processes import family

LOOK_EVERY_S = 0.05
PAUSE_S = 3.0


@dataclass(slots=True)
class Disturbed:
    """What was done and seen; complete when the block of `disturbing` has ended."""

    fault_ms: float | None = None
    """When the fault was, ms since the epoch; None: it never came to it."""
    _looks: list[tuple[float, float | None]] = field(default_factory=list)

    @property
    def backlog(self) -> list[Backlog]:
        """All looks, in seconds since the fault."""
        if self.fault_ms is None:
            return []
        return [Backlog((at_ms - self.fault_ms) / 1000, size) for at_ms, size in self._looks]

    def note(self, size: float | None) -> None:
        """One look at the backlog, made now."""
        self._looks.append((time.time() * 1000, size))


@contextlib.contextmanager
def disturbing(stack: RunningStack, fault: Fault, log: Path, before_s: float) -> Iterator[Disturbed]:
    """Inside, the fault happens once `log` has told of calls for `before_s`; nothing stays paused at the end.

    Raises:
        LabError: at the end, if the fault could not be made: whatever was measured is not a recovery from it.
    """
    disturbed, stop = Disturbed(), threading.Event()
    failures: list[Exception] = []

    def work() -> None:
        try:
            asyncio.run(_disturb(stack, fault, log, before_s, disturbed, stop))
        except Exception as error:  # noqa: BLE001 -- a thread's error would be lost; raised below
            failures.append(error)

    thread = threading.Thread(target=work, name="disturbance")
    thread.start()
    try:
        yield disturbed
    finally:
        stop.set()
        thread.join()
    if failures:
        raise LabError(f"{fault.name} was not done: {failures[0]!r}") from failures[0]


async def _disturb(
    stack: RunningStack,
    fault: Fault,
    log: Path,
    before_s: float,
    disturbed: Disturbed,
    stop: threading.Event,
) -> None:
    looking = asyncio.create_task(_look(stack, disturbed, stop))
    if await _begun(log, stop) and await _passed(before_s, stop):
        disturbed.fault_ms = time.time() * 1000
        await _do(stack, fault, stop)
    await looking


async def _do(stack: RunningStack, fault: Fault, stop: threading.Event) -> None:
    component = fault.target.component
    match fault.action:
        case "kill":
            stack.kill(component, signal.SIGKILL)
        case "pause":
            await _pause(stack.pids[component], stop)
        case "cut":
            with stack.cut_off(component):
                await _passed(PAUSE_S, stop)


async def _begun(log: Path, stop: threading.Event) -> bool:
    """Wait for the load's first call: k6 takes its time to start. False if it was to stop before."""
    while not stop.is_set() and not (log.exists() and log.stat().st_size):  # noqa: ASYNC110, ASYNC240 -- it is k6 who writes
        await asyncio.sleep(0.01)
    return not stop.is_set()


async def _look(stack: RunningStack, disturbed: Disturbed, stop: threading.Event) -> None:
    async with BacklogReader(stack) as reader:
        while not stop.is_set():
            disturbed.note(await reader.read())
            await asyncio.sleep(LOOK_EVERY_S)


async def _pause(pid: int, stop: threading.Event) -> None:
    """Stop a component with all its processes, such as a database's: the slow failure, which closes no connection."""
    processes = list(family(pid))
    try:
        _to_all(processes, signal.SIGSTOP)
        await _passed(PAUSE_S, stop)
    finally:
        _to_all(processes, signal.SIGCONT)


def _to_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


async def _passed(seconds: float, stop: threading.Event) -> bool:
    """Wait; False if it was to stop before."""
    deadline_s = time.monotonic() + seconds
    while time.monotonic() < deadline_s and not stop.is_set():  # noqa: ASYNC110 -- the event is a thread's
        await asyncio.sleep(0.01)
    return not stop.is_set()
