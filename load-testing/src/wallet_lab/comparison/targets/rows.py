"""The rows of the target table. Pure. The limits are in the adapters of the architectures (`performance_targets`)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from wallet_lab.comparison.plan import CONSISTENCY, LOADED_PER_S, load_in_words
from wallet_lab.comparison.targets.figures import (
    CapacityRatio,
    DelayTime,
    Memory,
    Ratio,
    Source,
    cpu_ms,
    is_database,
    is_service,
    median_ms,
    p50_ms,
    p99_ms,
    throughput,
)
from wallet_lab.comparison.targets.parts import CLIENTS, MILLION_CLIENTS, SHARDS
from wallet_lab.errors import LabError
from wallet_lab.report.model import Run

Bound = Literal["≤", "≥"]
AGAINST = "--against"
GROWTH = "--growth"
EARLIER = "earlier"
"""The part of the measurement that needs another checkout."""
LONE = "lone"
"""The scenario of a single client that sends one transfer after the other."""
CAPACITY = "capacity"
"""The key of the row that needs a search."""
WALLETS = {"hot-pair": "hot pair", "uniform-1k": "1000 wallets"}
LOADED = f"{CONSISTENCY}-{LOADED_PER_S:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    key: str
    text: str
    bound: Bound
    """Whether the target is the largest or the smallest figure."""
    part: str
    """The part of the measurement."""
    source: Source | None
    """None: the lab cannot measure it."""
    needs: str = ""
    """The option without which the row is not measured."""


def itself(architecture: str) -> str:
    """Divide by the same architecture."""
    return architecture


def earlier(architecture: str) -> str:
    """Return the name of an architecture of the other checkout in the findings."""
    return f"{architecture}, {EARLIER}"


def rows(control: str, baseline: str) -> tuple[Row, ...]:
    """Return all rows in the order of the table."""
    return (
        *_loads("cpu", f"server CPU per transfer ÷ {control}'s", "≤", cpu_ms, control),
        *_loads("throughput", f"throughput ÷ {baseline}'s", "≥", throughput, baseline),
        *_against(),
        *_reads(control),
        *_delays(),
        *_wallets(),
        *_growth(),
        *_memory("", "100 000 wallets", "wallets", "uniform-100k"),
        *_memory("-1m", "1 000 000 wallets", "million-wallets", f"uniform-1m-{MILLION_CLIENTS}", GROWTH),
    )


def _loads(
    key: str, text: str, bound: Bound, of: Callable[[Run], float | None], divisor: str
) -> Iterator[Row]:
    for clients in CLIENTS:
        for name, wallets in WALLETS.items():
            scenario = f"{name}-{clients}"
            source = Ratio(of, scenario, scenario, lambda _: divisor)
            of_load = f"{text}, {wallets}, {clients} clients"
            yield Row(f"{key}-{scenario}", of_load, bound, f"clients-{clients}", source)


def _against() -> Iterator[Row]:
    lone, capacity = Ratio(median_ms, LONE, LONE, earlier), CapacityRatio(earlier)
    other = "÷ the other checkout's"
    yield Row("lone-p50", f"lone transfer, median latency {other}", "≤", EARLIER, lone, AGAINST)
    yield Row(CAPACITY, f"capacity at p99 ≤ 50 ms {other}", "≥", EARLIER, capacity, AGAINST)


def _reads(control: str) -> Iterator[Row]:
    for name, text in {"reads": "", "reads-without-cache": ", without the cache"}.items():
        source = Ratio(cpu_ms, name, name, lambda _: control)
        yield Row(f"cpu-{name}", f"server CPU per GET balance ÷ {control}'s{text}", "≤", name, source)


def _delays() -> Iterator[Row]:
    idle = DelayTime(p50_ms, load_in_words(None), CONSISTENCY)
    loaded, slowest = (DelayTime(of, load_in_words(LOADED_PER_S), LOADED) for of in (p50_ms, p99_ms))
    beside = f"consistency delay at {LOADED_PER_S:g}/s"
    yield Row("delay-idle-p50", "consistency delay, idle, p50 ms", "≤", "delays", idle)
    yield Row("delay-loaded-p50", f"{beside}, p50 ms", "≤", "delays", loaded)
    yield Row("delay-loaded-p99", f"{beside}, p99 ms", "≤", "delays", slowest)


def _wallets() -> Iterator[Row]:
    for clients in CLIENTS:
        text = f"throughput, hot pair ÷ 1000 wallets, {clients} clients"
        source = Ratio(throughput, f"hot-pair-{clients}", f"uniform-1k-{clients}", itself)
        yield Row(f"hot-over-uniform-{clients}", text, "≥", f"clients-{clients}", source)
    many = Ratio(throughput, "uniform-100k", "uniform-1k", itself)
    text = "throughput, 100 000 ÷ 1000 wallets, 50 clients"
    yield Row("many-over-few-wallets", text, "≥", "wallets", many)


def _growth() -> Iterator[Row]:
    cpu, (few, many) = "CPU per transfer, growth", SHARDS
    shards = f"{cpu}, {few} → {many} shards"
    each = Ratio(cpu_ms, "many-shards", "few-shards-equal-each", itself)
    in_all = Ratio(cpu_ms, "many-shards", "few-shards", itself)
    wallets = Ratio(cpu_ms, f"uniform-1m-{MILLION_CLIENTS}", f"uniform-1k-{MILLION_CLIENTS}", itself)
    million = f"{cpu}, 10^3 → 10^6 wallets, {MILLION_CLIENTS} clients"
    yield Row("cpu-shards-equal-each", f"{shards}, equal load a shard", "≤", "shards", each, GROWTH)
    yield Row("cpu-shards-equal-in-all", f"{shards}, equal load in all", "≤", "shards", in_all, GROWTH)
    yield Row("cpu-wallets", million, "≤", "million-wallets", wallets, GROWTH)
    yield Row("cpu-rows", f"{cpu}, 10^5 → 10^7 rows or events", "≤", "", None)


def _memory(suffix: str, wallets: str, part: str, scenario: str, needs: str = "") -> Iterator[Row]:
    for kind, is_counted in {"service": is_service, "database": is_database}.items():
        text = f"memory of the largest {kind}, {wallets}, MiB"
        yield Row(f"memory-{kind}{suffix}", text, "≤", part, Memory(is_counted, scenario), needs)


def chosen_rows(known: Sequence[Row], keys: Sequence[str]) -> tuple[Row, ...]:
    """Return the rows with these keys in the order of the table; without keys, all.

    Raises:
        LabError: a key is unknown; the text lists all keys.
    """
    names = {row.key for row in known}
    for key in keys:
        if key not in names:
            raise LabError(f"there is no row '{key}'; there are: {', '.join(row.key for row in known)}")
    return tuple(row for row in known if not keys or row.key in keys)
