"""Prometheus as a component of a stack: the system's program, with the lab's own data and port.

It scrapes every stack of this lab home, later ones included, because each supervisor writes a list of its targets to a
folder that Prometheus reads. So both architectures appear together, whichever stack started Prometheus.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wallet_lab.stack.components import Component, HttpProbe, Stack
from wallet_lab.stack.files.home import StackHome, checkout
from wallet_lab.stack.servers.packages import Runner, ensure

PORT = 9095
PROGRAM = Path("/usr/bin/prometheus")
PACKAGE = "prometheus"
UNITS = ("prometheus.service",)
RULES = Path("monitoring/prometheus/rules")
SCRAPE_INTERVAL = "1s"
"""Short, because runs in the lab are short; a scrape costs a service about 5 ms of CPU."""


def targets(stack: Stack) -> list[dict[str, Any]]:
    """Return the components that serve metrics, in the format of a Prometheus target file."""
    return [
        {
            "targets": [f"127.0.0.1:{component.metrics_port}"],
            "labels": {
                "architecture": stack.architecture,
                "service": component.kind,
                "instance": component.name,
            },
        }
        for component in stack.components
        if component.metrics_port is not None
    ]


def configuration(architectures: Iterable[str]) -> dict[str, Any]:
    """Return Prometheus' settings (JSON is YAML). Its paths are patterns, so none may contain the checkout's path."""
    return {
        "global": {"scrape_interval": SCRAPE_INTERVAL, "evaluation_interval": "5s"},
        "rule_files": ["rules/*.yml"],
        "scrape_configs": [
            {
                "job_name": "wallet",
                "file_sd_configs": [
                    {
                        "files": [f"targets/{name}.json" for name in architectures],
                        "refresh_interval": "5s",
                    }
                ],
            }
        ],
    }


def _directory(home: StackHome) -> Path:
    return home.data() / "prometheus"


def server(home: StackHome, port: int) -> Component:
    """Return the server as a component. k6 may write its own metrics to it."""
    data = _directory(home)
    return Component(
        name="prometheus",
        kind="prometheus",
        argv=(
            str(PROGRAM),
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=tsdb",
            "--storage.tsdb.retention.size=512MB",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
            "--log.level=warn",
        ),
        cwd=data,
        bare=True,
        port=port,
        url=f"http://127.0.0.1:{port}",
        probe=HttpProbe(port, "/-/ready"),
    )


async def provision(home: StackHome, run: Runner, architectures: Iterable[str]) -> None:
    """Install the program if it is missing, and configure it for the stacks of these architectures.

    Raises:
        LabError: the program is missing and cannot be installed.
    """
    await ensure(PROGRAM, PACKAGE, UNITS, run)
    data = _directory(home)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_configuration(data, home.targets.parent, architectures)


def write_configuration(folder: Path, targets: Path, architectures: Iterable[str]) -> None:
    """Write the settings into a folder, with links to the rules and to the target lists."""
    (folder / "prometheus.yml").write_text(json.dumps(configuration(architectures), indent=1))
    for name, linked in (("rules", checkout() / RULES), ("targets", targets)):
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(linked)
