"""Runs py-spy on the Python components of a running stack."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from wallet_lab.environment_variables import BARE
from wallet_lab.errors import LabError
from wallet_lab.signals import deferred
from wallet_lab.stack.running import RunningStack
from wallet_lab.stack.supervision.process import die_with
from wallet_lab.workload.cores import on_client_cores
from wallet_lab.workload.sampler import servers

PROGRAM = Path(sys.executable).parent / "py-spy"
RATE_PER_S = 200
DURATION_MAX_S = 3600
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
LOOK_S = 0.02
_STARTED = "Sampling process"
_SERVICE_PRIORITY = 1
_SPY_PRIORITY = 2
_ADVICE = (
    "The lab must be allowed to trace its services and to raise their priority: run ./lab as root, in a container "
    "with the capabilities SYS_PTRACE and SYS_NICE."
)


def samples_file(folder: Path, component: str) -> Path:
    """Return the file with a component's samples, as collapsed stacks."""
    return folder / f"{component}.txt"


@contextlib.contextmanager
def sampling(stack: RunningStack, folder: Path | None) -> Iterator[None]:
    """Inside, every Python component of a native stack is sampled; without a folder, none is.

    The folder then has a file of samples for each component.

    Raises:
        LabError: no component is a Python process, py-spy may not read one, or it did not write its samples.
    """
    if folder is None:
        yield
        return
    with sampled(python_pids(stack), folder):
        yield


@contextlib.contextmanager
def sampled(pids: Mapping[str, int], folder: Path) -> Iterator[None]:
    """Inside, these processes are sampled; see `sampling`."""
    with tempfile.TemporaryDirectory(prefix="wallet-profile-") as logs, contextlib.ExitStack() as running:
        started: dict[str, subprocess.Popen[bytes]] = {}
        for name, pid in pids.items():
            argv = _arguments(pid, samples_file(folder, name))
            started[name] = running.enter_context(_ended(_start(argv, Path(logs) / name)))
        for name, process in started.items():
            _wait_started(name, process, Path(logs) / name)
        with _first_on_the_cores(pids, [process.pid for process in started.values()]):
            yield
        for process in started.values():
            process.send_signal(signal.SIGINT)
        for name, process in started.items():
            _wait_written(name, process, samples_file(folder, name))


def python_pids(stack: RunningStack) -> dict[str, int]:
    """Return the pid of every component whose process is a Python interpreter.

    Raises:
        LabError: there is none.
    """
    pids = {name: pid for name, pid in servers(stack).items() if _is_python(pid)}
    if not pids:
        raise LabError(
            f"No component of {stack.architecture} is a Python process, so there is nothing to profile."
        )
    return pids


def _is_python(pid: int) -> bool:
    try:
        return Path(psutil.Process(pid).exe()).name.startswith("python")
    except psutil.Error:
        return False


def _arguments(pid: int, samples: Path) -> list[str]:
    options = {"--pid": pid, "--rate": RATE_PER_S, "--duration": DURATION_MAX_S, "--output": samples}
    named = [str(part) for option in options.items() for part in option]
    # Without --nonblocking, py-spy stops the service for each sample. That interrupts an idle event loop, which then
    # runs, so that the profile shows work that the load does not cause.
    return [str(PROGRAM), "record", *named, "--format", "raw", "--nonblocking"]


def _start(argv: list[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output, on_client_cores(), deferred():
        return subprocess.Popen(
            argv,
            env=BARE,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the lab handles Ctrl-C and stops py-spy itself
            preexec_fn=die_with(os.getpid(), signal.SIGKILL),  # noqa: PLW1509 -- it calls one C function
        )


@contextlib.contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """Kill py-spy at the end of the block if it still runs."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _first_on_the_cores(pids: Mapping[str, int], spies: Sequence[int]) -> Iterator[None]:
    """Inside, the sampled processes need not wait for a core, and py-spy interrupts them.

    Reason: py-spy counts a process that waits for a core as a running one. Sending wakes the receiver, which then often
    takes the sender's core. So functions that send would get most of the samples.

    Raises:
        LabError: the kernel does not allow it.
    """
    try:
        _raise_priorities(pids, spies)
        yield
    finally:
        for pid in pids.values():
            with contextlib.suppress(PermissionError):
                _schedule(pid, os.SCHED_OTHER, 0)


def _raise_priorities(pids: Mapping[str, int], spies: Sequence[int]) -> None:
    try:
        for thread in (int(task.name) for spy in spies for task in Path(f"/proc/{spy}/task").iterdir()):
            _schedule(thread, os.SCHED_RR, _SPY_PRIORITY)
        for pid in pids.values():
            _schedule(pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK, _SERVICE_PRIORITY)
    except PermissionError:
        raise LabError(
            f"The services cannot be profiled: their priority cannot be raised. {_ADVICE}"
        ) from None


def _schedule(thread: int, policy: int, priority: int) -> None:
    """Set the scheduling policy of a thread, unless it has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.sched_setscheduler(thread, policy, os.sched_param(priority))


def _wait_started(name: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while _STARTED not in (said := log.read_text(errors="replace")):
        if process.poll() is not None:
            raise LabError(f"py-spy cannot read the stacks of {name}: {_reason(said)}")
        if time.monotonic() > deadline_s:
            raise LabError(f"py-spy did not begin to sample {name} within {START_TIMEOUT_S:.0f} s.")
        time.sleep(LOOK_S)


def _reason(said: str) -> str:
    """Return what the user can do, or else the first line that py-spy printed."""
    if "ermission" in said:
        return f"permission denied. {_ADVICE}"
    return next(iter(said.strip().splitlines()), "it printed nothing")


def _wait_written(name: str, process: "subprocess.Popen[bytes]", samples: Path) -> None:
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise LabError(
            f"py-spy did not end within {STOP_TIMEOUT_S:.0f} s after its work on {name}."
        ) from None
    if not samples.exists():
        raise LabError(f"py-spy wrote no samples of {name}.")
