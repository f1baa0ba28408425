"""The metrics of a stack's components, seen from outside: the lab tells them of processes, containers of their cgroups.

Services tell their own CPU time; databases, cache, broker and gateway do not. Seen from outside all are alike, so that
the CPU time of a transfer can be summed up over everything that took part in it.
"""

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily


def cpu_family() -> CounterMetricFamily:
    """CPU time, to be filled in by component and kind."""
    return CounterMetricFamily(
        "wallet_component_cpu_seconds",
        "CPU time of a component's processes, ended ones too.",
        labels=["component", "kind"],
    )


def memory_family() -> GaugeMetricFamily:
    """Memory, likewise."""
    return GaugeMetricFamily(
        "wallet_component_memory_bytes",
        "Memory that a component shares with nobody.",
        labels=["component", "kind"],
    )
