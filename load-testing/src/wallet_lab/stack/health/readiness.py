"""Readiness probes: each asks a component in its own protocol, over a plain socket."""

import asyncio
import re
import struct
import subprocess

from wallet_lab.stack.components import AmqpProbe, HttpProbe, PortProbe, PostgresProbe, Probe, RedisProbe
from wallet_lab.stack.health.listening import listens_alone
from wallet_lab.stack.supervision.process import exit_reason, exited

PROBE_TIMEOUT_S = 2.0


async def is_ready(probe: Probe, timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """Whether the component behind the probe is ready now; no answer within `timeout_s` means no."""
    request, good = _conversation(probe)
    try:
        async with asyncio.timeout(timeout_s):
            return await _answers(probe.port, request, good)
    except (OSError, TimeoutError):
        return False


def _conversation(probe: Probe) -> tuple[bytes, re.Pattern[bytes]]:
    match probe:
        case HttpProbe(port, path):
            request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
            return request.encode(), re.compile(rb"HTTP/1\.[01] 200 ")
        case PortProbe():
            return b"", re.compile(b"")
        case PostgresProbe():
            # The startup message of protocol 3.0. "R" asks for the password; "E" means that the server is not ready
            # yet.
            body = struct.pack(">I", 196608) + b"user\0wallet_service\0database\0postgres\0\0"
            return struct.pack(">I", len(body) + 4) + body, re.compile(rb"R")
        case RedisProbe(_, password):
            return f"AUTH {password}\r\nPING\r\n".encode(), re.compile(rb"\+OK\r\n\+PONG\r\n")
        case AmqpProbe():
            # A method frame on channel 0. A node that is still booting has no listener yet.
            return b"AMQP\x00\x00\x09\x01", re.compile(rb"\x01\x00\x00")


async def _answers(port: int, request: bytes, good: re.Pattern[bytes]) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        answer = b""
        while not good.match(answer) and (more := await reader.read(256)):
            answer += more
        return good.match(answer) is not None
    finally:
        writer.close()


def shares_with_none(public_port: int | None, supervisor: int) -> bool:
    """Whether only this supervisor's processes listen on the replicas' shared port; True if there is none."""
    return public_port is None or listens_alone(supervisor, public_port)


async def why_not_ready(
    probe: Probe, process: "subprocess.Popen[bytes]", timeout_s: float, interval_s: float = 0.05
) -> str | None:
    """Wait until the component is ready; return the reason if its process ends, or `timeout_s` is over."""
    ready = asyncio.create_task(_until_ready(probe, process.pid, interval_s))
    ended = asyncio.create_task(exited(process))
    try:
        await asyncio.wait({ready, ended}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            return exit_reason(ended.result())
        return None if ready.done() else f"was not ready after {timeout_s:.0f} s"
    finally:
        ready.cancel()
        ended.cancel()


async def _until_ready(probe: Probe, pid: int, interval_s: float) -> None:
    while not await is_ready_itself(probe, pid):  # noqa: ASYNC110 -- a component sends no signal when it is ready
        await asyncio.sleep(interval_s)


async def is_ready_itself(probe: Probe, pid: int) -> bool:
    """Whether the component is ready, and this process is the one that answers."""
    return await is_ready(probe) and listens_alone(pid, probe.port)
