"""Runs services as separate processes, so that tests can kill them."""

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
from wallet_lab.stack.components import Command
from wallet_lab.stack.logs import open_log, tail
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.process import spawn


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
        """Returns the value of a metric without labels."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(self.url + "/metrics")).text
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))

    def is_ready(self) -> bool:
        """Returns whether the service reports that it is ready."""
        try:
            return httpx.get(self.url + "/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    async def until_ready(self, timeout_s: float = 60) -> None:
        """Waits until the service is ready. On a busy machine, a start takes long."""
        await until(self.is_ready, timeout_s, f"ready; its log ends:\n{tail(self.log)}")

    def kill(self) -> None:
        """Kills the process with SIGKILL."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running_service(name: str, log: Path, **settings: str) -> Iterator[RunningService]:
    """Runs `python -m wallet_cqrs.<name>` on free ports. Settings are in lower case, without `WALLET_`."""
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
