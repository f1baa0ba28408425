"""The content of report.json. Rates are per second, `_s` are seconds, `_ms` milliseconds.

A figure that was not measured is None, never 0. A run that failed its audit keeps its outcomes, its audit and the
reason, but no performance figures.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

SCHEMA = 1
"""Incremented if a reader of an older report.json would misread a newer one."""

Verdict = Literal["passed", "failed", "not-run"]
"""passed: the audit passed. failed: the audit failed, so the figures are withheld. not-run: the run could not be
started or completed."""


class Latency(Struct, kw_only=True, frozen=True):
    """Times from request to response of acknowledged calls, milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float
    distribution: list[tuple[float, float]] = field(default_factory=list)
    """Pairs (share of the calls, ms within which this share was answered), rising; enough to draw the distribution."""


class Outcomes(Struct, kw_only=True, frozen=True):
    """Responses that clients received. Every call is counted exactly once."""

    success: int = 0
    pending: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """By the problem's name, such as insufficient-funds."""
    unknown: int = 0
    """Timed out, connection lost, or a 503 outcome-unknown: the transfer may have happened."""
    rejected: int = 0
    """The transfer did not happen: overloaded, draining, shard-unavailable."""
    error: int = 0
    """A response that the contract does not allow."""


class Costs(Struct, kw_only=True, frozen=True):
    """Server costs per acknowledged call, in total and by component (replicas of one kind are summed)."""

    total: float
    by_component: dict[str, float]


class Check(Struct, kw_only=True, frozen=True):
    """The result of one check after a run. `violations` has the first ones as sentences; `found` counts all."""

    name: str
    passed: bool
    found: int = 0
    violations: list[str] = field(default_factory=list)
    around: list[str] = field(default_factory=list)
    """The calls and postings around the first violation, in the order of their times."""


class Audit(Struct, kw_only=True, frozen=True):
    """The results of comparing the books with the guarantees and with the clients' responses."""

    passed: bool
    checks: list[Check]
    settled_s: float | None = None
    """Seconds from the end of the load until no work was in progress and reads had caught up."""


class Run(Struct, kw_only=True, frozen=True):
    """One run of one scenario on one architecture."""

    architecture: str
    """saga, cqrs, or noop: the target that responds without doing the work."""
    scenario: str
    """The scenario's name in the report, such as uniform-1k; a step of a sweep is named sweep-500, for example."""
    repeat: int
    verdict: Verdict
    why: str = ""
    """The reason why a run failed or did not run, as a sentence."""
    started_at: datetime
    duration_s: float
    """Duration of the measured load, without warm-up and audit."""
    clients: int = 0
    offered_per_s: float | None = None
    """Arrival rate of open scenarios; None for closed loops."""
    acked_per_s: float | None = None
    completed_per_s: float | None = None
    """Transfers per second that ended, refused and compensated ones included, until quiescence."""
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
    """k6's share of the machine's CPU time; k6 competes with the servers."""
    audit: Audit | None = None
    """None for noop, which has no books."""


class Delay(Struct, kw_only=True, frozen=True):
    """Milliseconds from a write's response until a reader sees the write."""

    architecture: str
    load: str
    """The background load: idle, or a scenario's name."""
    repeat: int = 0
    samples: int
    p50: float
    p95: float
    p99: float
    max: float
    distribution: list[tuple[float, float]] = field(default_factory=list)


class Second(Struct, kw_only=True, frozen=True):
    """One interval of a timeline: its start relative to the fault, and its rates."""

    at_s: float
    acked_per_s: float
    unknown_per_s: float
    rejected_per_s: float


class Recovery(Struct, kw_only=True, frozen=True):
    """A fault under load; times in seconds since the fault. None: not during the run, or not applicable."""

    architecture: str
    fault: str
    """A name such as kill-worker: SIGKILL of one component, which its supervisor restarts."""
    hits: str = ""
    """The role of the component, in words for all architectures, such as "a database that takes writes". The report
    compares faults of different architectures if this text is equal."""
    repeat: int
    verdict: Verdict
    why: str = ""
    detected_s: float | None
    """When a client could first notice the fault: a response without success, or a call that takes 0.25 s longer than
    usual."""
    first_success_s: float | None
    """First success of a call that was sent after the fault was detected."""
    drained_s: float | None
    """When the backlog (open sagas, events that readers do not see yet) was normal again, and stayed so for 2 s."""
    converged_s: float | None
    """When throughput was at least 80 % of that before the fault for 2 s; 0 if it never fell below."""
    lost: int | None
    """Acknowledged transfers that are missing from the books. Any number but 0 fails the audit."""
    outcomes: Outcomes
    timeline: list[Second] = field(default_factory=list)
    audit: Audit | None = None


class Machine(Struct, kw_only=True, frozen=True):
    """The machine of the measurements."""

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
    """The whole report."""

    schema: int = SCHEMA
    title: str
    started_at: datetime
    finished_at: datetime
    complete: bool
    """False if the comparison was interrupted; the figures that exist are still valid."""
    command: str
    machine: Machine
    versions: dict[str, str]
    scenarios: dict[str, str] = field(default_factory=dict)
    """A description of each scenario in one line, by name."""
    runs: list[Run]
    consistency_delay_ms: list[Delay]
    recovery: list[Recovery]
    ratios: Ratios
    not_measured: list[str]
    """Measurements that a reader may miss, with the reason."""
