"""Starts and stops a stack's supervisor from outside, for `up`, `down` and the test fixtures."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import IO, Any

import psutil

from wallet_lab import architectures
from wallet_lab.errors import LabError
from wallet_lab.stack.files.home import StackHome, signal_supervisor, state_of, supervisor_pid
from wallet_lab.stack.request import Request
from wallet_lab.stack.supervision.logs import open_log
from wallet_lab.stack.supervision.supervisor import ALREADY_UP, RELEASE

POLL_S = 0.05
STOP_TIMEOUT_S = 60.0

Watcher = Callable[[dict[str, Any]], None]
"""Receives the stack's state repeatedly during a wait."""


class Owner:
    """The process that started a supervisor. If it ends without `release`, the stack stops."""

    def __init__(self, home: StackHome, request: Request) -> None:
        """Start the supervisor; `wait_ready` waits for the result."""
        home.prepare()
        self._home = home
        self._fresh = request.fresh
        self._process = _launch(home)
        self._stdin.write(json.dumps(asdict(request)).encode() + b"\n")
        self._stdin.flush()

    def wait_ready(self, watch: Watcher) -> dict[str, Any]:
        """Wait until every component is ready; returns the state.

        Raises:
            LabError: it did not come up; all its processes are stopped.
        """
        while (state := self._state()).get("phase") != "ready":
            watch(state)
            if self._process.poll() is not None:
                return self._explain_end(watch)
            time.sleep(POLL_S)
        return state

    def _state(self) -> dict[str, Any]:
        # An earlier supervisor's record does not describe this one.
        state = self._home.read("state")
        return state if state.get("supervisor") == self._process.pid else {}

    def _explain_end(self, watch: Watcher) -> dict[str, Any]:
        if self._process.returncode == ALREADY_UP:
            if self._fresh:
                raise no_fresh_start(self._home)
            return join(self._home, watch)
        state = self._state()
        if state.get("phase") == "stopped":
            raise LabError(f"{self._home.architecture} was taken down while it was starting")
        raise LabError(
            state.get("error") or f"the supervisor ended; {self._home.log('supervisor')} has the reason"
        )

    def release(self) -> None:
        """Keep the stack running after its owner ends."""
        with contextlib.suppress(BrokenPipeError):  # another process had started it, or it has just died
            self._stdin.write(RELEASE)
            self._stdin.close()

    def abandon(self) -> None:
        """Stop the stack and wait for its end."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        self._process.wait()

    def kill(self) -> None:
        """Kill the supervisor, so that the kernel ends its children, and wait for their end."""
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        self._process.wait()
        self._stdin.close()
        deadline_s = time.monotonic() + STOP_TIMEOUT_S
        while any(map(_runs, family)) and time.monotonic() < deadline_s:
            time.sleep(POLL_S)

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _launch(home: StackHome) -> "subprocess.Popen[bytes]":
    with open_log(home.log("supervisor")) as log:
        return subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "wallet_lab.stack.supervision.supervisor",
                str(home.home),
                architectures.find(home.architecture).source or home.architecture,
            ],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )


def no_fresh_start(home: StackHome) -> LabError:
    """Return the error of `up --fresh` for a stack that is up."""
    architecture = home.architecture
    return LabError(f"{architecture} is up. Take it down with './lab down {architecture}' before --fresh.")


def join(home: StackHome, watch: Watcher) -> dict[str, Any]:
    """Wait until a stack that another process is starting is ready; returns its state.

    Raises:
        LabError: it did not come up, or is being stopped.
    """
    while supervisor_pid(home) is not None:
        state = state_of(home)
        if state.get("phase") == "ready":
            return state
        if state.get("phase") in {"stopping", "failed", "stopped"}:
            break
        watch(state)
        time.sleep(POLL_S)
    raise LabError(f"{home.architecture} is being stopped; try again when it is down")


def stop(home: StackHome, watch: Watcher) -> bool:
    """Stop a stack and wait until none of its processes runs; returns False if it was not up."""
    if not signal_supervisor(home, signal.SIGTERM):
        return False
    deadline_s = time.monotonic() + STOP_TIMEOUT_S
    while supervisor_pid(home) is not None:
        watch(home.read("state"))
        if time.monotonic() > deadline_s:
            # The kernel ends its children with it.
            signal_supervisor(home, signal.SIGKILL)
        time.sleep(POLL_S)
    return True
