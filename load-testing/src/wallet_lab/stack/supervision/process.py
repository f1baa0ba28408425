"""Starts processes that end when their parent ends."""

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import psutil

from wallet_lab.environment_variables import BARE, of_service
from wallet_lab.errors import CommandFailedError
from wallet_lab.stack.components import Command
from wallet_lab.stack.files.accounts import identity, unprivileged_account

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def spawn(command: Command, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Start a command. The kernel ends it when the calling *thread* ends, so call this from the main thread."""
    account = unprivileged_account() if command.unprivileged else None
    process = subprocess.Popen(
        command.argv,
        env=_environment(command),
        stdin=subprocess.PIPE if command.stdin else subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=command.cwd,
        start_new_session=True,
        preexec_fn=die_with(os.getpid(), command.orphan_signal),  # noqa: PLW1509 -- no threads: see `exited`
        **identity(account),
    )
    if process.stdin is not None:
        _feed(process.stdin, command.stdin)
    return process


def _environment(command: Command) -> Mapping[str, str]:
    base = BARE if command.bare or command.unprivileged else of_service(os.environ)
    return {**base, **command.env}


def _feed(stdin: IO[bytes], data: bytes) -> None:
    try:
        stdin.write(data)
        stdin.close()
    except BrokenPipeError:
        # It ended without reading its input. Its exit status explains more than this error.
        return


def die_with(parent: int, orphan_signal: signal.Signals) -> Callable[[], None]:
    """Return a function with which a child ties its life to its parent's.

    Call it in the child after the change of user, because that change clears the setting.
    """

    def arrange() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, orphan_signal)
        if os.getppid() != parent:  # the parent died before the setting took effect
            os.kill(os.getpid(), signal.SIGKILL)

    return arrange


async def exited(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process without a thread, because forks and threads do not mix; returns the exit code."""
    if process.poll() is not None:
        return process.returncode
    loop = asyncio.get_running_loop()
    handle = os.pidfd_open(process.pid)
    ended = asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    return process.wait()


async def run(command: Command, output: IO[bytes] | int) -> None:
    """Run a command to its end. If the task is cancelled, the process is stopped.

    Raises:
        CommandFailedError: it exited with a code other than 0.
    """
    process = spawn(command, output)
    try:
        code = await exited(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if code != 0:
        raise CommandFailedError(command.name, exit_reason(code))


def exit_reason(code: int) -> str:
    """Describe how a process ended."""
    return f"exited with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


async def end(process: subprocess.Popen[bytes], stop_signal: signal.Signals, grace_s: float) -> bool:
    """Ask a process to stop, and kill it after `grace_s`; returns whether it stopped by itself."""
    if process.poll() is not None:
        return True
    process.send_signal(stop_signal)
    process.send_signal(signal.SIGCONT)  # a test may have paused it
    try:
        async with asyncio.timeout(grace_s):
            await exited(process)
    except TimeoutError:
        process.kill()
        await exited(process)
        return False
    return True


def postgres_processes_in(directory: Path) -> list[psutil.Process]:
    """Return the Postgres processes of the cluster in this directory."""
    return [process for process in psutil.process_iter() if _is_postgres_in(process, directory)]


def _is_postgres_in(process: psutil.Process, directory: Path) -> bool:
    """Match by name and current directory, because a user's shell may be in the directory too."""
    try:
        return process.name() == "postgres" and Path(process.cwd()).samefile(directory)
    except psutil.AccessDenied:
        # In a container, root may not see the directory of another account's process, but the command line contains it.
        return str(directory) in _command_lines(process)
    except (psutil.Error, OSError):
        return False


def _command_lines(process: psutil.Process) -> list[str]:
    try:
        parent = process.parent()
        return [*process.cmdline(), *(parent.cmdline() if parent else ())]
    except psutil.Error:
        return []


async def clear_leftovers(directory: Path, patience_s: float = 5.0) -> None:
    """Wait for processes that a crashed server left in its data directory, then kill the rest.

    Postgres takes any live process with the id in `postmaster.pid` for its predecessor. After a reboot that may be an
    unrelated process.
    """
    deadline = asyncio.get_running_loop().time() + patience_s
    while leftovers := postgres_processes_in(directory):
        if asyncio.get_running_loop().time() > deadline:
            for process in leftovers:
                process.kill()
        await asyncio.sleep(0.02)
    (directory / "postmaster.pid").unlink(missing_ok=True)
