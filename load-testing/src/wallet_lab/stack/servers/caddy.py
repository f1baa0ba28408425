"""Caddy as the gateway, with the repository's Caddyfile and this stack's addresses as environment variables."""

import sysconfig
from collections.abc import Sequence
from pathlib import Path

from wallet_lab.errors import LabError
from wallet_lab.stack.accounts import runnable_copy, unprivileged_account
from wallet_lab.stack.components import Component, HttpProbe
from wallet_lab.stack.home import checkout

CADDYFILE = Path("kernel/containers/Caddyfile")


def program() -> Path:
    """Return the caddy program of the locked environment.

    Raises:
        LabError: it is not part of the environment.
    """
    found = Path(sysconfig.get_path("scripts")) / "caddy"
    if not found.exists():
        raise LabError("caddy is not installed. Run ./lab to set up the environment.")
    return runnable_copy(found, (found,), unprivileged_account())


def gateway(port: int, commands: Sequence[int], queries: Sequence[int]) -> Component:
    """Return the gateway on 127.0.0.1 in front of these ports."""
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
            "WALLET_COMMAND_UPSTREAMS": _upstreams(commands),
            "WALLET_QUERY_UPSTREAMS": _upstreams(queries),
        },
        unprivileged=True,
        port=port,
        url=f"http://127.0.0.1:{port}",
        probe=HttpProbe(port),
    )


def _upstreams(ports: Sequence[int]) -> str:
    """Return the replicas and the gateway's health check for them."""
    addresses = " ".join(f"127.0.0.1:{port}" for port in ports)
    return f"to {addresses}\nhealth_uri /livez\nhealth_interval 200ms\nhealth_timeout 5s"
