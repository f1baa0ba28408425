"""The parent process of all components of one stack: starts them in order, restarts them, and stops them.

One supervisor runs per stack, detached from the terminal. It holds the stack's lock for its whole life. If it is
killed, the kernel ends its children. Its standard input is a pipe from the process that started it, the owner. The
first line is the request. After the byte `RELEASE`, the supervisor runs until `down`. If the pipe closes without that
byte, the owner has died and the stack stops.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Coroutine, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from wallet_lab import architectures
from wallet_lab.architectures.adapter import Plan
from wallet_lab.errors import CommandFailedError, LabError, PortTakenError
from wallet_lab.stack.components import Command, Stack, Stage
from wallet_lab.stack.files import credentials
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.files.home import StackHome, take_lock
from wallet_lab.stack.files.state_files import STATE_VERSION, replace_file
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.request import Request
from wallet_lab.stack.servers import caddy, postgres, prometheus, rabbitmq
from wallet_lab.stack.servers.monitoring import monitored
from wallet_lab.stack.supervision.logs import open_log, say, tail, trim_logs
from wallet_lab.stack.supervision.process import clear_leftovers, run
from wallet_lab.stack.supervision.process_supervisor import ProcessSupervisor

RELEASE = b"r"
START_TIMEOUT_S = 60.0
LOOK_EVERY_S = 1.0
PORT_TRIES_MAX = 3
ALREADY_UP = 3


class Supervisor:
    """Brings one stack up, keeps it up and takes it down."""

    def __init__(self, home: StackHome, request: Request, lock: IO[str]) -> None:
        """`lock` is the stack's lock, already held. Nothing starts before `serve`."""
        self._home = home
        self._lock = lock
        self._request = request
        self._supervised: list[ProcessSupervisor] = []
        self._stack: Stack | None = None
        self._phase = "starting"
        self._waiting_for: list[str] = []
        self._error: str | None = None
        self._ports: PortChooser | None = None
        self._stop = asyncio.Event()

    async def serve(self) -> int:
        """Run until a signal or the owner's end stops the stack; returns the exit code."""
        self._listen()
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and self._explain(starting):
            self._report("ready")
            await self._look_after_files(stopping)
        await self._wind_up(starting)
        return 1 if self._error else 0

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_reader(sys.stdin.fileno(), self._hear_owner)

    def _hear_owner(self) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        if os.read(sys.stdin.fileno(), 1) != RELEASE:
            self._stop.set()

    def _explain(self, starting: asyncio.Task[None]) -> bool:
        error = starting.exception()
        if error is not None:
            self._error = (
                str(error) if isinstance(error, LabError) else _describe_unexpected(error, self._home)
            )
            say("".join(traceback.format_exception(error)))
        return error is None

    async def _start(self) -> None:
        if self._request.fresh:
            await self._wipe()
        self._report("starting", ["databases"])
        secrets = credentials.load_or_create(self._home.secrets)
        self._home.write("layout", {"shards": self._request.shards})
        for tries_left in reversed(range(PORT_TRIES_MAX)):
            ports = PortChooser(usual=self._request.usual_ports)
            try:
                await self._start_on(ports, secrets)
            except PortTakenError as taken:
                if not tries_left:
                    raise
                say(f"{taken}\nStarting again on other ports.")
                await self._stop_components()
                self._supervised.clear()
                ports.release()
            else:
                self._ports = ports  # its claims must last as long as the stack
                return

    async def _wipe(self) -> None:
        # A killed supervisor may have left servers that still write.
        for folder in self._home.data().glob("postgres-*/"):
            await clear_leftovers(folder)
        self._home.wipe()

    async def _start_on(self, ports: PortChooser, secrets: Credentials) -> None:
        architecture = architectures.find(self._home.architecture)
        plan = architecture.plan(self._request, secrets, self._home.data(), ports)
        await self._provision(plan)
        stack = plan.stack
        if self._request.gateway:
            stack = caddy.behind_gateway(stack, ports)
        if self._request.monitoring:
            stack = monitored(stack, self._home, ports)
        self._stack = stack
        for stage in stack.stages:
            await self._start_stage(stage)
        replace_file(self._home.targets, json.dumps(prometheus.targets(stack)), durable=False)

    async def _provision(self, plan: Plan) -> None:
        await _all_or_none([clear_leftovers(cluster.data_dir) for cluster in plan.clusters])
        provisions = [postgres.provision(cluster, self._run) for cluster in plan.clusters]
        if plan.broker is not None:
            provisions.append(rabbitmq.provision(plan.broker, self._run))
        if self._request.monitoring:
            provisions.append(prometheus.provision(self._home, self._run, architectures.NAMES))
        await _all_or_none(provisions)

    async def _start_stage(self, stage: Stage) -> None:
        self._report("starting", [task.name for task in stage.tasks])
        await _all_or_none([self._run(task) for task in stage.tasks])
        started = [
            ProcessSupervisor(component, self._home, self._report_change) for component in stage.components
        ]
        self._supervised += started
        waiting = {part.component.name for part in started}

        async def start(part: ProcessSupervisor) -> None:
            await part.start(START_TIMEOUT_S)
            waiting.remove(part.component.name)
            self._report("starting", sorted(waiting))

        self._report("starting", sorted(waiting))
        await _all_or_none([start(part) for part in started])

    async def _run(self, command: Command) -> None:
        log = self._home.log(command.name)
        with open_log(log) as output:
            try:
                await run(command, output)
            except CommandFailedError as error:
                raise CommandFailedError(command.name, f"{error.reason}\n{tail(log)}") from None

    async def _look_after_files(self, stopping: "asyncio.Task[bool]") -> None:
        # Without its lock file (`git clean`, a removed checkout), no `down` would ever find this stack.
        while not stopping.done() and self._has_lock():
            with contextlib.suppress(OSError, LabError):  # such as a full disk: the next look tries again
                trim_logs(self._home, ["supervisor", *(part.component.name for part in self._supervised)])
            if not self._is_reported():
                self._report_change()
            await asyncio.wait({stopping}, timeout=LOOK_EVERY_S)

    def _is_reported(self) -> bool:
        # A full disk may have prevented the last report, and another program may have damaged the file.
        try:
            return bool(self._home.read("state") == json.loads(json.dumps(self._state())))
        except LabError:
            return False

    def _has_lock(self) -> bool:
        # Do not open the file: closing it would release the lock.
        try:
            return os.path.samestat(os.fstat(self._lock.fileno()), (self._home.root / "lock").stat())
        except OSError:
            return False

    async def _wind_up(self, starting: "asyncio.Task[None]") -> None:
        starting.cancel()
        await asyncio.wait({starting})
        self._report("stopping")
        with contextlib.suppress(OSError):
            self._home.targets.unlink(missing_ok=True)
        await self._stop_components()
        self._report("failed" if self._error else "stopped")

    async def _stop_components(self) -> None:
        for group in reversed(self._by_stage()):
            await asyncio.gather(*(part.stop() for part in group))

    def _by_stage(self) -> list[list[ProcessSupervisor]]:
        stages = self._stack.stages if self._stack else ()
        return [[part for part in self._supervised if part.component in stage.components] for stage in stages]

    def _report_change(self) -> None:
        self._report(self._phase, self._waiting_for)

    def _report(self, phase: str, waiting_for: list[str] | None = None) -> None:
        self._phase = phase
        self._waiting_for = waiting_for or []
        with contextlib.suppress(OSError):  # `_look_after_files` tries again
            self._home.write("state", self._state(), durable=False)

    def _state(self) -> dict[str, Any]:
        stack = self._stack
        return {
            "version": STATE_VERSION,
            "supervisor": os.getpid(),
            "phase": self._phase,
            "waiting_for": self._waiting_for,
            "error": self._error,
            "architecture": self._home.architecture,
            "base_url": stack.base_url if stack else None,
            "direct": asdict(stack.direct) if stack else None,
            "notes": stack.notes if stack else [],
            "components": [part.describe() for part in self._supervised],
        }


def _describe_unexpected(error: BaseException, home: StackHome) -> str:
    return f"the supervisor failed: {type(error).__name__}: {error}. The details are in {home.log('supervisor')}."


async def _all_or_none(work: Iterable[Coroutine[None, None, None]]) -> None:
    """Run all coroutines concurrently. The first failure cancels the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for item in work:
                group.create_task(item)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _read_request() -> Request:
    # Without a buffer, because `_hear_owner` reads the bytes after this line.
    with os.fdopen(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as stdin:
        return Request.from_json(json.loads(stdin.readline()))


def main() -> int:
    """Supervise the stack on the command line: its home, and its architecture's name or folder."""
    home = StackHome(Path(sys.argv[1]), architectures.find(sys.argv[2]).name)
    lock = take_lock(home)
    if lock is None:
        return ALREADY_UP
    with lock:
        return asyncio.run(Supervisor(home, _read_request(), lock).serve())


if __name__ == "__main__":
    sys.exit(main())
