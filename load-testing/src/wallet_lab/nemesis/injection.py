"""Injects a fault into a running load, again and again, and samples the backlog until the last recovery.

It runs in its own thread. The main thread waits for k6, because the kernel ties k6's process to the thread that started
it.
"""

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from io import TextIOWrapper
from pathlib import Path

import psutil

from wallet_lab.errors import LabError
from wallet_lab.nemesis.faults import EVERYTHING, Fault
from wallet_lab.nemesis.load import BEFORE_S, PARTS, RECOVERY_TIMEOUT_S, STEADY_S
from wallet_lab.nemesis.moments import BacklogSample, is_backlog
from wallet_lab.nemesis.normality import LOOK_BACK_S, Clients
from wallet_lab.stack.health.backlog import Databases
from wallet_lab.stack.running import RunningStack
from wallet_monitoring.processes import family

LOOK_EVERY_S = 0.05
PAUSE_S = 3.0


@dataclass(slots=True)
class Injections:
    """The thread's record of its injections. Times in seconds since 1970."""

    at: list[tuple[float, bool]] = field(default_factory=list)
    """The moment of each injection, and whether the stack recovered from it in time."""
    backlog: list[BacklogSample] = field(default_factory=list)
    finished: threading.Event = field(default_factory=threading.Event)
    """Set after the last recovery, and after an error: the load can end."""


@contextlib.contextmanager
def injecting(stack: RunningStack, fault: Fault, log: Path, times: int) -> Iterator[Injections]:
    """Inject the fault `times` times after `log` shows the first call; at the end, no process is paused.

    Raises:
        LabError: at the end, if the fault could not be injected. The measurements then show no recovery.
    """
    injections, stop = Injections(), threading.Event()
    failures: list[Exception] = []

    def work() -> None:
        try:
            asyncio.run(_Nemesis(stack, fault, log, injections, stop).run(times))
        except Exception as error:  # noqa: BLE001 -- a thread's error would be lost; raised below
            failures.append(error)
        finally:
            injections.finished.set()

    thread = threading.Thread(target=work, name="nemesis")
    thread.start()
    try:
        yield injections
    finally:
        stop.set()
        thread.join()
    if failures:
        raise LabError(f"{fault.name} could not be injected: {failures[0]!r}") from failures[0]


class _Nemesis:
    """Injects the fault each time that clients, reads and the backlog have been normal for a while."""

    def __init__(
        self, stack: RunningStack, fault: Fault, log: Path, seen: Injections, stop: threading.Event
    ) -> None:
        self._stack, self._fault, self._log = stack, fault, log
        self._seen, self._stop = seen, stop
        self._clients = Clients(PARTS)
        self._usual_backlog = 0.0

    async def run(self, times: int) -> None:
        if not await self._wait(self._has_begun):
            return
        with self._log.open(errors="replace") as lines:
            watching = asyncio.gather(self._sample(), self._follow(lines))
            try:
                await self._inject(times)
            finally:
                self._stop.set()
                await watching

    async def _inject(self, times: int) -> None:
        if not await self._passed(BEFORE_S):
            return
        self._clients.set_usual(time.monotonic())
        self._usual_backlog = max((one.size or 0 for one in self._seen.backlog), default=0)
        for _ in range(times):
            at = time.time()
            self._seen.at.append((at, False))
            await self._do()
            recovered = await self._wait(partial(self._is_normal, at), RECOVERY_TIMEOUT_S)
            self._seen.at[-1] = (at, recovered)
            if not await self._passed(STEADY_S):
                return

    def _is_normal(self, since: float) -> bool:
        now = time.time()
        samples = [one for one in self._seen.backlog if one.at_s >= now - LOOK_BACK_S]
        return (
            now >= since + LOOK_BACK_S
            and self._clients.is_normal(time.monotonic())
            and len(samples) > 0
            and not any(is_backlog(one, self._usual_backlog) for one in samples)
        )

    async def _do(self) -> None:
        component = self._fault.target.component
        match self._fault.action:
            case "kill" if self._fault.target is EVERYTHING:
                for name in self._stack.pids:
                    with contextlib.suppress(LabError):  # a component that was down already
                        self._stack.kill(name, signal.SIGKILL)
            case "kill":
                self._stack.kill(component, signal.SIGKILL)
            case "pause":
                await self._pause(self._stack.pids[component])
            case "cut":
                with self._stack.cut_off(component):
                    await self._passed(PAUSE_S)

    async def _pause(self, pid: int) -> None:
        """Pause a component with all its processes: a slow failure that closes no connection."""
        processes = list(family(pid))
        try:
            _to_all(processes, signal.SIGSTOP)
            await self._passed(PAUSE_S)
        finally:
            _to_all(processes, signal.SIGCONT)

    async def _sample(self) -> None:
        async with Databases(self._stack) as databases:
            while not self._stop.is_set():
                size = await databases.sample()
                self._seen.backlog.append(BacklogSample(time.time(), size))
                await asyncio.sleep(LOOK_EVERY_S)

    async def _follow(self, lines: TextIOWrapper) -> None:
        """Read the record while k6 writes it."""
        begun = ""
        while not self._stop.is_set():
            now_s = time.monotonic()
            *complete, begun = (begun + lines.read()).split("\n")
            for line in complete:
                self._clients.note(line, now_s)
            await asyncio.sleep(LOOK_EVERY_S)

    def _has_begun(self) -> bool:
        """Whether the load has sent its first call: k6 needs time to start."""
        return self._log.exists() and "\ncall" in self._log.read_text(errors="replace")

    async def _wait(self, is_done: Callable[[], bool], timeout_s: float = float("inf")) -> bool:
        """Wait until a condition holds; False after the timeout, or if the load ended first."""
        deadline_s = time.monotonic() + timeout_s
        while not self._stop.is_set() and time.monotonic() < deadline_s:
            if is_done():
                return True
            await asyncio.sleep(LOOK_EVERY_S)
        return False

    async def _passed(self, seconds: float) -> bool:
        """Wait; False if the load ended first."""
        await self._wait(lambda: False, seconds)
        return not self._stop.is_set()


def _to_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
