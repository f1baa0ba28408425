"""Injects a fault into a running load, and samples the backlog until the load has ended.

It runs in its own thread. The main thread waits for k6, because the kernel ties k6's process to the thread that started
it.
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

from wallet_lab.errors import LabError
from wallet_lab.nemesis.faults import Fault
from wallet_lab.nemesis.recovery import BacklogSample
from wallet_lab.stack.backlog import Databases
from wallet_lab.stack.running import RunningStack
from wallet_monitoring.processes import family

LOOK_EVERY_S = 0.05
PAUSE_S = 3.0


@dataclass(slots=True)
class Injection:
    """The fault's time and the samples of the backlog; complete when the block of `injecting` has ended."""

    fault_ms: float | None = None
    """Time of the fault, ms since the epoch; None if the fault did not happen."""
    _samples: list[tuple[float, float | None]] = field(default_factory=list)

    @property
    def backlog(self) -> list[BacklogSample]:
        """All samples, in seconds since the fault."""
        if self.fault_ms is None:
            return []
        return [BacklogSample((at_ms - self.fault_ms) / 1000, size) for at_ms, size in self._samples]

    def note(self, size: float | None) -> None:
        """Record the size of the backlog now."""
        self._samples.append((time.time() * 1000, size))


@contextlib.contextmanager
def injecting(stack: RunningStack, fault: Fault, log: Path, before_s: float) -> Iterator[Injection]:
    """Inject the fault `before_s` seconds after `log` shows the first call; at the end, no process is paused.

    Raises:
        LabError: at the end, if the fault could not be injected. The measurements then show no recovery.
    """
    injection, stop = Injection(), threading.Event()
    failures: list[Exception] = []

    def work() -> None:
        try:
            asyncio.run(_run(stack, fault, log, before_s, injection, stop))
        except Exception as error:  # noqa: BLE001 -- a thread's error would be lost; raised below
            failures.append(error)

    thread = threading.Thread(target=work, name="injection")
    thread.start()
    try:
        yield injection
    finally:
        stop.set()
        thread.join()
    if failures:
        raise LabError(f"{fault.name} could not be injected: {failures[0]!r}") from failures[0]


async def _run(
    stack: RunningStack,
    fault: Fault,
    log: Path,
    before_s: float,
    injection: Injection,
    stop: threading.Event,
) -> None:
    sampling = asyncio.create_task(_sample(stack, injection, stop))
    if await _begun(log, stop) and await _passed(before_s, stop):
        injection.fault_ms = time.time() * 1000
        await _do(stack, fault, stop)
    await sampling


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
    """Wait for the load's first call, because k6 needs time to start. False if `stop` was set first."""
    while not stop.is_set() and not (log.exists() and log.stat().st_size):  # noqa: ASYNC110, ASYNC240 -- k6 writes it
        await asyncio.sleep(0.01)
    return not stop.is_set()


async def _sample(stack: RunningStack, injection: Injection, stop: threading.Event) -> None:
    async with Databases(stack) as databases:
        while not stop.is_set():
            injection.note(await databases.sample())
            await asyncio.sleep(LOOK_EVERY_S)


async def _pause(pid: int, stop: threading.Event) -> None:
    """Pause a component with all its processes: a slow failure that closes no connection."""
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
    """Wait; False if `stop` was set first."""
    deadline_s = time.monotonic() + seconds
    while time.monotonic() < deadline_s and not stop.is_set():  # noqa: ASYNC110 -- the event belongs to a thread
        await asyncio.sleep(0.01)
    return not stop.is_set()
