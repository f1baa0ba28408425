"""Exports the resource use of each component of a native stack as metrics.

`python -m wallet_monitoring.exporters.components STATE PORT` serves the metrics on the loopback. STATE is the
supervisor's record of its stack: a JSON object with the list `components`, each with name, kind, restarts and pid (null
if dead). For stacks on Docker, `wallet_monitoring.exporters.containers` does this.
"""

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from wallet_monitoring.exporters.families import cpu_family, memory_family
from wallet_monitoring.processes import cpu_s, memory_bytes


class Components(Collector):
    """The components that a stack's supervisor recorded, each with its processes."""

    def __init__(self, state: Path) -> None:
        """Takes the file of the supervisor's record."""
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Returns the resources that each component has used, and its restarts."""
        cpu, memory = cpu_family(), memory_family()
        restarts = CounterMetricFamily(
            "wallet_component_restarts",
            "Times a component was started again after it died.",
            labels=["component", "kind"],
        )
        for component in self._recorded():
            labels = [component["name"], component["kind"]]
            restarts.add_metric(labels, component["restarts"])
            if component["pid"] is not None:
                cpu.add_metric(labels, cpu_s(component["pid"]))
                memory.add_metric(labels, memory_bytes(component["pid"]))
        return iter((cpu, memory, restarts))

    def _recorded(self) -> list[dict[str, Any]]:
        # The supervisor writes the file after it starts the exporter, and a power failure may damage it.
        try:
            components: list[dict[str, Any]] = json.loads(self._state.read_text())["components"]
        except (FileNotFoundError, ValueError, LookupError, TypeError):
            return []
        return components

    def describe(self) -> Iterator[Metric]:
        """Returns no metrics, so that registration does not call `collect`."""
        return iter(())


def main(arguments: list[str]) -> None:
    """Serves the metrics until terminated."""
    state, port = arguments
    registry = CollectorRegistry()
    registry.register(Components(Path(state)))
    start_http_server(int(port), "127.0.0.1", registry)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
