"""Services as separate processes, so that tests can kill them."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import httpx
import psutil

from wallet_lab.blocking import run_blocking
from wallet_lab.stack.components import Command, HttpProbe
from wallet_lab.stack.health.readiness import is_ready
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.supervision.logs import open_log, tail
from wallet_lab.stack.supervision.process import spawn

SERVICE_SECRET = "a secret for tests only"  # noqa: S105 -- it guards nothing


@dataclass
class RunningService:
    """The process of a service."""

    process: Popen[bytes]
    port: int
    public_port: int
    log: Path

    @property
    def url(self) -> str:
        """The URL of its internal port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def public_url(self) -> str:
        """The URL of its public port, if it has one."""
        return f"http://127.0.0.1:{self.public_port}"

    @property
    def rss_bytes(self) -> int:
        """Its resident memory in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    async def metric(self, name: str) -> float:
        """Return the value of a metric without labels."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(self.url + "/metrics")).text
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))

    def is_ready(self) -> bool:
        """Whether the service reports that it is ready."""
        return run_blocking(is_ready(HttpProbe(self.port)))

    async def until_ready(self, timeout_s: float = 60) -> None:
        """Wait until the service is ready. On a busy machine, a start takes long."""
        end_s = time.monotonic() + timeout_s
        while not await is_ready(HttpProbe(self.port)):
            assert time.monotonic() < end_s, (
                f"not ready within {timeout_s} s; its log ends:\n{tail(self.log)}"
            )
            await asyncio.sleep(0.02)

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running_service(module: str, log: Path, **settings: str) -> Iterator[RunningService]:
    """Run `python -m <module>` on free ports. Settings are in lower case, without `WALLET_`."""
    ports = PortChooser(usual=False)
    port, public_port = ports.choose(0), ports.choose(0)
    own = {"port": str(port), "public_port": str(public_port), "service_secret": SERVICE_SECRET}
    environment = {f"WALLET_{key.upper()}": value for key, value in {**own, **settings}.items()}
    command = Command(name=module, argv=(sys.executable, "-P", "-m", module), env=environment)
    with open_log(log) as output:
        process = spawn(command, output)
    try:
        yield RunningService(process, port, public_port, log)
    finally:
        if process.poll() is None:
            os.kill(process.pid, 15)
            process.wait(30)
