"""The components of `--monitoring`: Prometheus, and the exporter of each component's resource usage."""

import sys
from dataclasses import replace

from wallet_lab.stack.components import Component, HttpProbe, Stack, Stage
from wallet_lab.stack.files.home import StackHome
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.servers import prometheus

COMPONENT_METRICS_PORT = 9096


def monitored(stack: Stack, home: StackHome, ports: PortChooser) -> Stack:
    """Return the stack with its monitoring as the last stage."""
    watcher = _component_metrics(home, ports.choose(COMPONENT_METRICS_PORT))
    server = prometheus.server(home, ports.choose(prometheus.PORT))
    return replace(
        stack,
        stages=(*stack.stages, Stage((watcher, server))),
        notes=(*stack.notes, f"Prometheus is at {server.url}."),
    )


def _component_metrics(home: StackHome, port: int) -> Component:
    module = ("-P", "-m", "wallet_monitoring.exporters.components")
    return Component(
        name="component-metrics",
        kind="component-metrics",
        argv=(sys.executable, *module, str(home.root / "state.json"), str(port)),
        port=port,
        url=f"http://127.0.0.1:{port}",
        probe=HttpProbe(port, "/metrics"),
        metrics_port=port,
    )
