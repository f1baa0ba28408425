"""Converts costs per call to costs per million calls, at stated prices. Pure."""

CPU_HOUR_USD = 0.05
"""One hour of one virtual core. The list price of a general-purpose machine on demand is about 0.10 USD per hour for
two cores (AWS m7i.large, us-east-1, 2025)."""
GIB_USD = 0.08
"""One GiB written and kept for a month. The list price of SSD block storage is 0.08 USD per GB and month (AWS gp3,
us-east-1, 2025)."""
CALLS = 1_000_000
_MS_PER_HOUR = 3_600_000
FORMULA = (
    f"Price per million calls = CPU-hours × {CPU_HOUR_USD:.2f} USD + GiB written × {GIB_USD:.2f} USD. "
    "The prices are rounded list prices of a large cloud in 2025: a core of a general-purpose machine for an hour, and "
    "SSD storage for a month. Idle machines, network and staff are not included."
)


def cpu_hours(ms_per_call: float) -> float:
    """Return CPU-hours per million calls."""
    return ms_per_call * CALLS / _MS_PER_HOUR


def gib(bytes_per_call: float) -> float:
    """Return GiB per million calls."""
    return bytes_per_call * CALLS / 2**30


def usd(cpu_hours: float, gib: float) -> float:
    """Return the price in USD."""
    return cpu_hours * CPU_HOUR_USD + gib * GIB_USD
