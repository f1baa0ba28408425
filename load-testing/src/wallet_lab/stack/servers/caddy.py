"""Caddy as the gateway, with the repository's Caddyfile and this stack's addresses as environment variables."""

import sysconfig
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wallet_lab.errors import LabError
from wallet_lab.stack.components import Component, Entry, HttpProbe, Stack, Stage
from wallet_lab.stack.files.accounts import runnable_copy, unprivileged_account
from wallet_lab.stack.files.home import checkout
from wallet_lab.stack.ports import PortChooser

CADDYFILE = Path("kernel/containers/Caddyfile")
PORT = 3080
"""The usual port of a gateway that an architecture does not need."""


def program() -> Path:
    """Return the caddy program of the locked environment.

    Raises:
        LabError: it is not part of the environment.
    """
    found = Path(sysconfig.get_path("scripts")) / "caddy"
    if not found.exists():
        raise LabError("caddy is not installed. Run ./lab to set up the environment.")
    return runnable_copy(found, (found,), unprivileged_account())


def gateway(port: int, services: Entry) -> Component:
    """Return the gateway on 127.0.0.1 in front of these services."""
    return Component(
        name="gateway",
        kind="gateway",
        argv=(str(program()), "run", "--adapter", "caddyfile", "--config", "-"),
        # Through stdin, because its account may have no access to the checkout.
        stdin=(checkout() / CADDYFILE).read_bytes(),
        env={
            "HOME": "/nonexistent",
            "WALLET_PUBLIC_HOST": "127.0.0.1",
            "WALLET_PUBLIC_PORT": str(port),
            "WALLET_COMMAND_UPSTREAMS": _upstreams(services.write_urls),
            "WALLET_QUERY_UPSTREAMS": _upstreams(services.read_urls),
        },
        unprivileged=True,
        port=port,
        url=f"http://127.0.0.1:{port}",
        probe=HttpProbe(port),
    )


def behind_gateway(stack: Stack, ports: PortChooser) -> Stack:
    """Return the stack with a gateway as its last stage; the same stack if it has one."""
    if any(component.kind == "gateway" for component in stack.components):
        return stack
    front = gateway(ports.choose(PORT), stack.direct)
    return replace(
        stack, base_url=front.url, stages=(*stack.stages, Stage((front,))), behind_gateway=stack.direct
    )


def _upstreams(urls: Sequence[str]) -> str:
    """Return the replicas and the gateway's health check for them."""
    return f"to {' '.join(urls)}\nhealth_uri /livez\nhealth_interval 200ms\nhealth_timeout 5s"
