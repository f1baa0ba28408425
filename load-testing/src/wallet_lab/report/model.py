"""The content of report.json. Rates are per second, `_s` are seconds, `_ms` milliseconds.

A figure that was not measured is None, never 0. A run that failed its audit keeps its outcomes, its audit and the
reason, and nothing that could be read as a performance.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

SCHEMA = 1
"""Grows when a reader of an older report.json would misread a newer one."""

Verdict = Literal["passed", "failed", "not-run"]
"""Of a run: its audit passed; its audit failed, so its figures are withheld; it could not be carried out."""


class Latency(Struct, kw_only=True, frozen=True):
    """Times from request to answer of acknowledged calls, milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float
    distribution: list[tuple[float, float]] = field(default_factory=list)
    """Pairs (share of the calls, ms that this share stayed within), rising; enough of them to draw the distribution."""


class Outcomes(Struct, kw_only=True, frozen=True):
    """What the clients were told: every call is counted exactly once."""

    success: int = 0
    pending: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """By the problem's name, such as insufficient-funds."""
    unknown: int = 0
    """Timed out, connection lost, or a 503 outcome-unknown: it may or may not have happened."""
    rejected: int = 0
    """Certainly not done: overloaded, draining, shard-unavailable."""
    error: int = 0
    """Anything that the contract does not allow."""


class Costs(Struct, kw_only=True, frozen=True):
    """What the servers spent per acknowledged call, in total and by component (replicas of one kind are summed)."""

    total: float
    by_component: dict[str, float]


class Check(Struct, kw_only=True, frozen=True):
    """One promise looked at after a run. `violations` are sentences, the first of them only; `found` counts all."""

    name: str
    passed: bool
    found: int = 0
    violations: list[str] = field(default_factory=list)


class Audit(Struct, kw_only=True, frozen=True):
    """The books against the promises and against what the clients were told."""

    passed: bool
    checks: list[Check]
    settled_s: float | None = None
    """From the end of the load until nothing was in flight any more and reads had caught up."""


class Run(Struct, kw_only=True, frozen=True):
    """One scenario on one architecture, once."""

    architecture: str
    """saga, cqrs, or noop: the target that answers without doing the work."""
    scenario: str
    """The scenario's name in the report, such as uniform-1k; steps of a sweep are named sweep-500 and so on."""
    repeat: int
    verdict: Verdict
    why: str = ""
    """Of a failed or not-run run: a sentence for the reader."""
    started_at: datetime
    duration_s: float
    """Of the measured load, without warm-up and without the audit."""
    clients: int = 0
    offered_per_s: float | None = None
    """Arrival rate of open scenarios; None for closed loops."""
    acked_per_s: float | None = None
    completed_per_s: float | None = None
    """Transfers that ended (also refused and compensated ones) per second, until everything had settled."""
    latency_ms: Latency | None = None
    outcomes: Outcomes
    dropped_iterations: int | None = None
    server_cpu_ms_per_transfer: Costs | None = None
    disk_bytes_per_transfer: Costs | None = None
    network_bytes_per_transfer: Costs | None = None
    broker_messages_per_transfer: float | None = None
    memory_mib_max: dict[str, float] | None = None
    batch_size_mean: dict[str, float] | None = None
    steal_percent: float | None = None
    load_average: float | None = None
    client_cpu_percent: float | None = None
    """What k6 took of the whole machine: it competes with the servers."""
    audit: Audit | None = None
    """None for noop, which keeps no books."""


class Delay(Struct, kw_only=True, frozen=True):
    """From a write's answer to its being visible to a reader, milliseconds."""

    architecture: str
    load: str
    """The load beside it: idle, or a scenario's name."""
    repeat: int = 0
    samples: int
    p50: float
    p95: float
    p99: float
    max: float
    distribution: list[tuple[float, float]] = field(default_factory=list)


class Second(Struct, kw_only=True, frozen=True):
    """One interval of a timeline: its beginning relative to the fault, and the rates in it."""

    at_s: float
    acked_per_s: float
    unknown_per_s: float
    rejected_per_s: float


class Recovery(Struct, kw_only=True, frozen=True):
    """A fault under load, in seconds since the fault. None: not seen before the run ended, or does not apply."""

    architecture: str
    fault: str
    """Such as kill-worker: SIGKILL of one component, which its supervisor restarts."""
    hits: str = ""
    """What it hits in words that fit both architectures, such as "the database that takes writes": faults of
    different architectures are compared where this is the same."""
    repeat: int
    verdict: Verdict
    why: str = ""
    detected_s: float | None
    """When a client could first tell: an answer that is no success, or a call that takes a quarter of a second
    longer than usual."""
    first_success_s: float | None
    """First success of a call that was sent after the fault was detected."""
    drained_s: float | None
    """No more was in flight than usual (sagas open, events that readers do not see yet), and stayed so for 2 s."""
    converged_s: float | None
    """Throughput was at least 80 % of that before the fault, and stayed there for 2 s; 0 if it never fell below."""
    lost: int | None
    """Acknowledged transfers that are not in the books: any but 0 fails the audit."""
    outcomes: Outcomes
    timeline: list[Second] = field(default_factory=list)
    audit: Audit | None = None


class Machine(Struct, kw_only=True, frozen=True):
    """Where it was measured."""

    cpu: str
    cores: int
    memory_mib: int
    system: str
    kernel: str


class Ratios(Struct, kw_only=True, frozen=True):
    """Medians over repeats, by architecture."""

    noop: dict[str, float]
    """Highest closed-loop throughput over that of noop in the same comparison."""
    hot_over_uniform: dict[str, float]
    """Throughput of the hot pair over that of 1000 wallets."""


class Report(Struct, kw_only=True, frozen=True):
    """All of it."""

    schema: int = SCHEMA
    title: str
    started_at: datetime
    finished_at: datetime
    complete: bool
    """False when it was interrupted: what is there is still true."""
    command: str
    machine: Machine
    versions: dict[str, str]
    scenarios: dict[str, str] = field(default_factory=dict)
    """What each scenario is, in one line, by name."""
    runs: list[Run]
    consistency_delay_ms: list[Delay]
    recovery: list[Recovery]
    ratios: Ratios
    not_measured: list[str]
    """What a reader might look for and will not find, and why."""
