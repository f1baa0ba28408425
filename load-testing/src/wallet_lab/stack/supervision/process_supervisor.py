"""The life of one component: start, watch, restart if it dies, stop."""

import asyncio
import os
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

from wallet_lab.errors import CommandFailedError, PortTakenError
from wallet_lab.stack.components import Component
from wallet_lab.stack.files.home import StackHome, locking_pid
from wallet_lab.stack.health.readiness import shares_with_none, why_not_ready
from wallet_lab.stack.supervision.logs import open_log, say, tail
from wallet_lab.stack.supervision.process import clear_leftovers, end, exit_reason, exited, spawn

STOP_GRACE_S = 10.0
STABLE_AFTER_S = 1.0
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 2.0
_ADDRESS_IN_USE = re.compile("address (already )?in use|eaddrinuse", re.IGNORECASE)


def backoff_s(quick_deaths: int) -> float:
    """Return the seconds to wait before a restart, after so many consecutive deaths that came soon after the start."""
    return min(BACKOFF_FIRST_S * 2 ** (quick_deaths - 1), BACKOFF_MAX_S) if quick_deaths else 0.0


class ProcessSupervisor:
    """Keeps one component running. Every restart has the same name, port, data and environment."""

    def __init__(self, component: Component, home: StackHome, on_change: Callable[[], None]) -> None:
        """`on_change` is called when the result of `describe` changes. It must not raise."""
        self.component = component
        self._home = home
        self._on_change = on_change
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at_s = 0.0
        self._log_began = 0
        self._restarts = 0
        self._watch: asyncio.Task[None] | None = None

    def describe(self) -> dict[str, Any]:
        """Describe the component for `state.json`; the pid is None while it is down."""
        component = self.component
        shard = {} if component.shard is None else {"shard": component.shard}
        pid = self._process.pid if self._process and self._process.returncode is None else None
        public = {} if component.public_port is None else {"public_port": component.public_port}
        ready = {"ready": getattr(component.probe, "path", "")}
        known = {"name": component.name, "kind": component.kind, "pid": pid, "port": component.port}
        return {**known, "url": component.url, **shard, **public, **ready, "restarts": self._restarts}

    async def start(self, timeout_s: float) -> None:
        """Start the component, return when it is ready, and watch it from then on.

        Raises:
            PortTakenError: another program uses a port that the component needs.
            CommandFailedError: it ended, or was not ready in time; the message ends with its last log lines.
        """
        process = await self._spawn()
        self._check_start(await why_not_ready(self.component.probe, process, timeout_s))
        self._watch = asyncio.create_task(self._keep_always(process))

    def _check_start(self, reason: str | None) -> None:
        if reason is None and not shares_with_none(self.component.public_port, os.getpid()):
            raise PortTakenError(
                self.component.name, f"shares port {self.component.public_port} with another program"
            )
        if reason is None:
            return
        written = tail(self._home.log(self.component.name), since=self._log_began)
        failure = PortTakenError if _ADDRESS_IN_USE.search(written) else CommandFailedError
        raise failure(self.component.name, f"{reason}; its last lines:\n{written}")

    async def _spawn(self) -> "subprocess.Popen[bytes]":
        if self.component.data_dir is not None:
            await clear_leftovers(self.component.data_dir)
        with open_log(self._home.log(self.component.name)) as log:
            self._log_began = log.tell()
            self._process = spawn(self.component, log)
        self._started_at_s = time.monotonic()
        self._on_change()
        return self._process

    async def _keep_always(self, process: "subprocess.Popen[bytes]") -> None:
        while True:
            try:
                await self._keep(process)
            except Exception as error:  # noqa: BLE001 -- otherwise nothing would watch the component any more
                say(f"{self.component.name}: watching it failed, trying again: {error!r}")
                await asyncio.sleep(BACKOFF_MAX_S)
                process = self._process or process

    async def _keep(self, process: "subprocess.Popen[bytes]") -> None:
        quick_deaths = 0
        while True:
            code = await exited(process)
            was_quick = time.monotonic() - self._started_at_s < STABLE_AFTER_S
            quick_deaths = quick_deaths + 1 if was_quick else 0
            say(f"{self.component.name} {exit_reason(code)}, restarting it")
            self._on_change()
            await asyncio.sleep(backoff_s(quick_deaths))
            await self._until_released()
            self._restarts += 1
            process = await self._respawn()

    async def _respawn(self) -> "subprocess.Popen[bytes]":
        while True:
            try:
                return await self._spawn()
            except OSError as error:
                # For example no memory or no free process id: transient, so the next attempt may succeed.
                say(f"{self.component.name} could not be started: {error}")
                await asyncio.sleep(BACKOFF_MAX_S)

    async def _until_released(self) -> None:
        # A lock, because the kernel releases it if its holder is killed; a file would remain.
        while locking_pid(self._home.hold(self.component.name)) is not None:  # noqa: ASYNC110 -- another process locks it
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Stop the component finally: gracefully if it exits in time, else by SIGKILL."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        if self._process is not None and not await end(
            self._process, self.component.stop_signal, STOP_GRACE_S
        ):
            say(f"{self.component.name} did not stop within {STOP_GRACE_S:.0f} s: killed")
        if self.component.data_dir is not None:
            await clear_leftovers(self.component.data_dir)
