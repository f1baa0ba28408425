"""The stack of the no-op target: one service without databases."""

from pathlib import Path

from wallet_lab.architectures.adapter import Plan
from wallet_lab.stack.components import Component, HttpProbe, Stack, Stage, python_module
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.request import Request

PUBLIC_PORT = 3002
OWN_PORT = 3020


def plan(_request: Request, credentials: Credentials, _data: Path, ports: PortChooser) -> Plan:
    """Choose the ports. There are no databases."""
    public_port, port = ports.choose(PUBLIC_PORT), ports.choose(OWN_PORT)
    service = Component(
        name="noop-0",
        kind="noop",
        argv=python_module("wallet_lab.architectures.noop.service"),
        env={
            "WALLET_HOST": "127.0.0.1",
            "WALLET_PORT": str(port),
            "WALLET_PUBLIC_HOST": "127.0.0.1",
            "WALLET_PUBLIC_PORT": str(public_port),
            "WALLET_SERVICE_SECRET": credentials.service_secret,
        },
        port=port,
        url=f"http://127.0.0.1:{port}",
        probe=HttpProbe(port),
        public_port=public_port,
    )
    return Plan(stack=Stack("noop", f"http://127.0.0.1:{public_port}", (Stage((service,)),)))
