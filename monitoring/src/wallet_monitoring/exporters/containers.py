"""Exports the resource use of each container of a stack on Docker as metrics.

`python -m wallet_monitoring.exporters.containers CGROUPS PROJECT SERVICE...` serves the metrics. The arguments are the
machine's cgroups, the compose project of the stack, and the services to export: `redis`, or `events=postgres` if the
kind has another name. The exporter must be on the stack's network. It needs only read access, and not Docker's socket.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from wallet_monitoring.exporters.cgroups import CgroupTree, NoCgroups, cgroup_tree
from wallet_monitoring.exporters.container_names import Component, ContainerNames, component_of
from wallet_monitoring.exporters.families import cpu_family, memory_family

REFRESH_INTERVAL_S = 5.0
"""Seconds between two searches for new containers."""


class Containers(Collector):
    """The components found by the last `refresh`. A scrape only reads their cgroups."""

    def __init__(
        self, tree: CgroupTree, names: ContainerNames, project: str, kinds: Mapping[str, str]
    ) -> None:
        """Takes the project and the kinds as `component_of` does."""
        self._tree = tree
        self._names = names
        self._project = project
        self._kinds = kinds
        self._cgroups: dict[Component, Path] = {}

    def refresh(self) -> None:
        """Finds the components that exist now."""
        cgroups = dict(self._tree.containers())
        self._cgroups = {
            component: cgroups[container_id]
            for container_id, name in self._names.of(cgroups).items()
            if (component := component_of(name, self._project, self._kinds))
        }

    def collect(self) -> Iterator[Metric]:
        """Returns the resources that each component has used."""
        cpu, memory = cpu_family(), memory_family()
        for component, cgroup in self._cgroups.items():
            with contextlib.suppress(OSError):  # the container has ended, or memory is not counted
                cpu.add_metric(list(component), self._tree.cpu_s(cgroup))
                memory.add_metric(list(component), self._tree.memory_bytes(cgroup))
        return iter((cpu, memory))

    def describe(self) -> Iterator[Metric]:
        """Returns no metrics, so that registration does not call `collect`."""
        return iter(())


def kinds_of(words: list[str]) -> dict[str, str]:
    """Parses the kinds by service from words such as `redis` or `events=postgres`."""
    return {service: kind or service for service, _, kind in (word.partition("=") for word in words)}


def main(arguments: list[str]) -> NoReturn:
    """Serves the metrics until it gets SIGTERM."""
    root, project, *kinds = arguments
    # The kernel ignores SIGTERM for the first process of a container unless that process handles it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        containers = Containers(cgroup_tree(Path(root)), ContainerNames(), project, kinds_of(kinds))
    except NoCgroups as error:
        raise SystemExit(str(error)) from None
    containers.refresh()
    registry = CollectorRegistry()
    registry.register(containers)
    start_http_server(int(os.environ["WALLET_PORT"]), os.environ.get("WALLET_HOST", "127.0.0.1"), registry)
    while True:
        time.sleep(REFRESH_INTERVAL_S)
        containers.refresh()


if __name__ == "__main__":
    main(sys.argv[1:])
