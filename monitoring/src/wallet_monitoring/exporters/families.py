"""The metrics of a stack's components, measured from outside: from processes natively, from cgroups in containers.

Services export their own CPU time; databases, cache, broker and gateway do not. Measured from outside, all components
have the same metric, so that the CPU time of a transfer can be summed over all of them.
"""

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily


def cpu_family() -> CounterMetricFamily:
    """Returns the empty family of CPU time, with the labels component and kind."""
    return CounterMetricFamily(
        "wallet_component_cpu_seconds",
        "CPU time of a component's processes, ended ones too.",
        labels=["component", "kind"],
    )


def memory_family() -> GaugeMetricFamily:
    """Returns the empty family of memory, with the labels component and kind."""
    return GaugeMetricFamily(
        "wallet_component_memory_bytes",
        "Memory that a component's processes map; each page counts once.",
        labels=["component", "kind"],
    )
