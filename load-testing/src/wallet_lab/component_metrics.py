"""Serves each component's resource usage as metrics: `python -m wallet_lab.component_metrics HOME ARCH PORT`.

For stacks on Docker, `wallet_monitoring.exporters.containers` does this.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from wallet_lab.stack.home import StackHome
from wallet_monitoring.exporters.families import cpu_family, memory_family
from wallet_monitoring.processes import cpu_s, family


class Components(Collector):
    """The components that a stack's supervisor recorded, each with its processes."""

    def __init__(self, home: StackHome) -> None:
        """`home` belongs to a stack that is up."""
        self._home = home

    def collect(self) -> Iterator[Metric]:
        """Read the usage of every component now."""
        cpu, memory = cpu_family(), memory_family()
        restarts = CounterMetricFamily(
            "wallet_component_restarts",
            "Times a component was started again after it died.",
            labels=["component", "kind"],
        )
        for component in self._home.read("state").get("components", []):
            labels = [component["name"], component["kind"]]
            restarts.add_metric(labels, component["restarts"])
            if component["pid"] is not None:
                used_s, memory_bytes = used_by(component["pid"])
                cpu.add_metric(labels, used_s)
                memory.add_metric(labels, memory_bytes)
        return iter((cpu, memory, restarts))

    def describe(self) -> Iterator[Metric]:
        """Return nothing, so that registration does not call `collect`."""
        return iter(())


def used_by(pid: int) -> tuple[float, int]:
    """Return CPU seconds and bytes of memory of a process and its descendants; ended ones count for CPU only."""
    used_s, memory_bytes = 0.0, 0
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            used_s += cpu_s(process)
            memory = process.memory_info()
            memory_bytes += memory.rss - memory.shared
    return used_s, memory_bytes


def main() -> None:
    """Serve the metrics of the stack on the command line until terminated."""
    home, architecture, port = sys.argv[1:]
    registry = CollectorRegistry()
    registry.register(Components(StackHome(Path(home), architecture)))
    start_http_server(int(port), "127.0.0.1", registry)
    threading.Event().wait()


if __name__ == "__main__":
    main()
