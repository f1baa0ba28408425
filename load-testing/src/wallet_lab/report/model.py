"""The content of report.json. Rates are per second, `_s` are seconds, `_ms` milliseconds.

A figure that was not measured is None, never 0. A run that failed its audit keeps its outcomes, its audit and the
reason, but no performance figures.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

SCHEMA = 1
"""Incremented if a reader of an older report.json would misread a newer one."""

HALF_CAPACITY = "half-capacity"
"""The scenario whose arrival rate is half of the lowest capacity of the compared architectures: latency below
saturation."""

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


API_ALONE = "the API alone: the lab cannot read these books, so rules about storage are left out"
"""The name of a check that always passes. An audit has it if it read everything through the API."""


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
    limits: list[str] = []
    """What `./lab audit` could not check, as sentences: empty with a record of calls and a baseline."""

    @property
    def is_through_api(self) -> bool:
        """Whether the audit read everything through the API, and left out the rules about storage."""
        return any(check.name == API_ALONE for check in self.checks)


class Reads(Struct, kw_only=True, frozen=True):
    """The reads of balances in a scenario that has both transfers and reads."""

    acked_per_s: float | None
    latency_ms: Latency | None
    outcomes: Outcomes


Route = Literal["direct", "gateway"]
"""direct: clients call the services. gateway: clients call the gateway, which forwards to the services."""


class Run(Struct, kw_only=True, frozen=True):
    """One run of one scenario on one architecture."""

    architecture: str
    """An architecture of the registry, or noop: the control, which responds without doing the work."""
    block: int = 0
    """The runs of one block of a scenario are close together in time, and only they are compared with each other."""
    again: bool = False
    """Whether this is the second run of its architecture in the block. The two differ only by chance."""
    route: Route = "direct"
    paced: bool = False
    """Whether the pauses of the clients, and not the architecture, decide the throughput. Such runs are no contest."""
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
    """Acknowledged transfers per second; in the scenario reads, answered reads."""
    completed_per_s: float | None = None
    """Transfers per second that ended, refused and compensated ones included, until quiescence."""
    latency_ms: Latency | None = None
    reads: Reads | None = None
    """The reads of a scenario that has transfers too; costs are divided by both."""
    outcomes: Outcomes
    dropped_iterations: int | None = None
    """Arrivals for which k6 had no free client. They count as failed calls."""
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
    other_cpu_percent: float | None = None
    """The share of everything else: the kernel's own threads, which write dirty pages to disk, the stacks of the other
    architectures, the lab, and other programs."""
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
    hops_p50_ms: dict[str, float] = field(default_factory=dict)
    """Median by hop, in the order of the hops, such as stored → published → projected → cached; empty if there is
    only one."""
    plain_read_ms: Latency | None = None
    fresh_read_ms: Latency | None = None
    """Reads without and with a demand for the write's position: their difference is the price of reading one's own
    write."""


LIMITS_MS = (20.0, 50.0, 100.0)
"""The limits on the 99th percentile of the latency for which a report has a rate."""
MAIN_LIMIT_MS = 50.0
"""The one of them at which a search looks for the capacity. The rates at the others are by-products: the highest rates
that the search tried and that met them, so the capacity at these limits can be higher."""
FAILED_SHARE_MAX = 0.001
"""A rate meets no limit if at least this share of its arrivals failed."""


class Probe(Struct, kw_only=True, frozen=True):
    """One arrival rate that a search for the capacity has tried."""

    rate_per_s: float
    p50_ms: float | None
    p99_ms: float | None
    """None if no call was acknowledged."""
    failed_share: float
    """Share of the arrivals that were dropped by k6 for want of a free client, or not acknowledged."""


class Capacity(Struct, kw_only=True, frozen=True):
    """The result of one search for the highest arrival rate that an architecture serves within `MAIN_LIMIT_MS`."""

    architecture: str
    repeat: int
    route: Route = "direct"
    verdict: Verdict
    why: str = ""
    rates_per_s: dict[str, float] = field(default_factory=dict)
    """By the limit on p99 in ms, such as "50": the highest tried rate that met it with less than 0.1 % of arrivals
    failed. A limit that no tried rate met is missing."""
    probes: list[Probe] = field(default_factory=list)
    """In the order of their execution."""
    audit: Audit | None = None


class Window(Struct, kw_only=True, frozen=True):
    """One interval of a long run: its start in seconds since the load's start, and its figures."""

    at_s: float
    acked_per_s: float
    p50_ms: float | None
    p99_ms: float | None


class Mark(Struct, kw_only=True, frozen=True):
    """Something that a server did during a long run, such as a checkpoint of a database."""

    at_s: float
    what: str


class Sustained(Struct, kw_only=True, frozen=True):
    """A long run with a fixed arrival rate, through checkpoints, vacuum and snapshots."""

    architecture: str
    verdict: Verdict
    why: str = ""
    rate_per_s: float
    duration_s: float
    windows: list[Window] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    outcomes: Outcomes
    dropped_iterations: int | None = None
    latency_ms: Latency | None = None
    server_cpu_ms_per_transfer: Costs | None = None
    disk_bytes_per_transfer: Costs | None = None
    memory_mib_max: dict[str, float] | None = None
    audit: Audit | None = None


class Injection(Struct, kw_only=True, frozen=True):
    """One injection of a fault. Times in seconds since it; None: not before the next injection.

    A call is bound to the victim if the usual path to its answer leads through the broken component. Reads that a cache
    may answer instead count neither as bound nor as other.
    """

    at_s: float
    """Seconds since the load's start."""
    bound_calls: int
    """The calls that were under way at the fault, or sent within 3 s after it, and were bound to the victim."""
    bound_affected_share: float | None
    """Share of them that failed or were slow: 50 ms slower than 99.9 % of such calls in the steady time."""
    bound_failed_share: float | None
    other_calls: int
    other_affected_share: float | None
    other_failed_share: float | None
    outage_s: float
    """Total of the intervals in which bound calls were affected and none succeeded. Intervals do not count if the
    steady time had as long ones."""
    first_success_s: float | None
    """First success of a bound call after the longest of these intervals; 0 if there was none."""
    full_throughput_s: float | None
    """Begin of the first second, after that success, in which as many bound calls succeeded as usual."""
    drained_s: float | None
    """When the backlog was normal for a second: at most 50, or twice the largest in the steady time."""
    converged_s: float | None
    """Begin of the first two seconds in which no read failed, or was 50 ms staler than every read in the steady
    time."""
    stale_ms_max: float | None = None
    """The largest staleness of a read between this injection and the next: the time since the acknowledgement of the
    oldest write that the read should show and does not."""


class FaultRun(Struct, kw_only=True, frozen=True):
    """A fault that was injected several times under one load with a fixed arrival rate, and audited once."""

    architecture: str
    fault: str
    """A name such as kill-worker."""
    action: str
    """kill, pause or cut."""
    hits: str
    """The role of the component in words, such as "a database that takes writes", as in `Recovery`."""
    verdict: Verdict
    why: str = ""
    rate_per_s: float = 0.0
    injections: list[Injection] = field(default_factory=list)
    outcomes: Outcomes
    """Of all transfers of the load."""
    dropped_iterations: int | None = None
    """Arrivals that k6 did not send for want of a free client."""
    lost: int | None = None
    """Acknowledged transfers that are missing from the books. Any number but 0 fails the audit."""
    audit: Audit | None = None


class Size(Struct, kw_only=True, frozen=True):
    """The parts of an architecture that a team has to operate, and its code."""

    architecture: str
    services: dict[str, int]
    """Number of processes of its own code by kind, on the measured stack."""
    servers: dict[str, int]
    """Number of databases, caches, brokers and gateways by kind."""
    lines: int | None
    """Lines of its own source: Python and SQL without blank lines, comments, docstrings, tests and migrations; None if
    the lab does not know its source."""
    kernel_lines: int | None
    """Lines of the shared kernel that it imports."""
    failure_modes: int
    """Targets that faults can hit, each with its own section in the runbook."""


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
    audit: Audit | None = None


class Machine(Struct, kw_only=True, frozen=True):
    """The machine of the measurements."""

    cpu: str
    cores: int
    memory_mib: int
    system: str
    kernel: str
    client_cores: int = 0
    """Number of cores that k6 had alone; 0: k6 shared all cores with the servers."""


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
    capacities: list[Capacity] = field(default_factory=list)
    sustained: list[Sustained] = field(default_factory=list)
    faults: list[FaultRun] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    repeated_blocks: dict[str, int] = field(default_factory=dict)
    """By scenario: how often a block was measured again because its two control runs differed by more than 10 %."""
    unsteady_blocks: dict[str, int] = field(default_factory=dict)
    """By scenario: the blocks in the report whose control runs differed by more than 10 %, after all repetitions."""
    idle_cpu_percent: dict[str, float] = field(default_factory=dict)
    """By architecture: the share of the machine's CPU time that its stack takes without load. Every stack is up during
    the runs of the others."""
    properties: dict[str, list[str]] = field(default_factory=dict)
    """By architecture: what its design offers, such as fresh-reads (`decisions.PROPERTIES`)."""
    ratios: Ratios
    not_measured: list[str]
    """Measurements that a reader may miss, with the reason."""
