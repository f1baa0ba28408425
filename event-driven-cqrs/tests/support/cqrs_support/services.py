"""Services as processes of their own, so that they can be killed."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import httpx
import psutil

from cqrs_support.waiting import until
from wallet_lab.logs import open_log, tail
from wallet_lab.ports import PortChooser
from wallet_lab.stack import Command
from wallet_lab.supervision.process import spawn


@dataclass
class RunningService:
    """A service's process."""

    process: Popen[bytes]
    port: int
    public_port: int
    log: Path

    @property
    def url(self) -> str:
        """Its own port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def public_url(self) -> str:
        """Its public port, if it has one."""
        return f"http://127.0.0.1:{self.public_port}"

    @property
    def rss_bytes(self) -> int:
        """Memory it holds."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    async def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(self.url + "/metrics")).text
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))

    def is_ready(self) -> bool:
        """Whether it says so itself."""
        try:
            return httpx.get(self.url + "/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    async def until_ready(self, timeout_s: float = 60) -> None:
        """Waits until it is ready; on a busy machine a process takes long to start."""
        await until(self.is_ready, timeout_s, f"ready; its log ends:\n{tail(self.log)}")

    def kill(self) -> None:
        """Crashes it."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running_service(name: str, log: Path, **settings: str) -> Iterator[RunningService]:
    """`python -m wallet_cqrs.<name>` with these settings (`WALLET_` left out, in lower case) on free ports."""
    ports = PortChooser(usual=False)
    port, public_port = ports.choose(0), ports.choose(0)
    own = {"port": str(port), "public_port": str(public_port), "service_secret": "a secret for tests only"}
    environment = {f"WALLET_{key.upper()}": value for key, value in {**own, **settings}.items()}
    command = Command(name=name, argv=(sys.executable, "-P", "-m", f"wallet_cqrs.{name}"), env=environment)
    with open_log(log) as output:
        process = spawn(command, output)
    try:
        yield RunningService(process, port, public_port, log)
    finally:
        if process.poll() is None:
            os.kill(process.pid, 15)
            process.wait(30)
