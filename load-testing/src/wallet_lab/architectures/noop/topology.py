"""The stack of the no-op target: one service without databases."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from wallet_lab.stack.components import Component, HttpProbe, Stack, Stage
from wallet_lab.stack.credentials import Credentials
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.request import Request
from wallet_lab.stack.servers.postgres import Cluster

PUBLIC_PORT = 3002
OWN_PORT = 3020


@dataclass(frozen=True, slots=True)
class NoopPlan:
    """The ports of one target, chosen once per start."""

    credentials: Credentials = field(repr=False)
    public_port: int
    port: int
    clusters: tuple[Cluster, ...] = ()

    def stack(self) -> Stack:
        """Return the target as a stack of one component."""
        service = Component(
            name="noop-0",
            kind="noop",
            # -P: Python must not import from the current directory.
            argv=(sys.executable, "-P", "-m", "wallet_lab.architectures.noop.service"),
            env={
                "WALLET_HOST": "127.0.0.1",
                "WALLET_PORT": str(self.port),
                "WALLET_PUBLIC_HOST": "127.0.0.1",
                "WALLET_PUBLIC_PORT": str(self.public_port),
                "WALLET_SERVICE_SECRET": self.credentials.service_secret,
            },
            port=self.port,
            url=f"http://127.0.0.1:{self.port}",
            probe=HttpProbe(self.port),
            public_port=self.public_port,
        )
        return Stack("noop", f"http://127.0.0.1:{self.public_port}", (Stage((service,)),))


def plan(_request: Request, credentials: Credentials, _data: Path, ports: PortChooser) -> NoopPlan:
    """Choose the ports. There are no databases."""
    return NoopPlan(credentials, ports.choose(PUBLIC_PORT), ports.choose(OWN_PORT))
