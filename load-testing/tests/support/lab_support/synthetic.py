"""A report of invented, plausible figures with every part that a report can have."""

import random
from datetime import UTC, datetime, timedelta
from functools import cache

from msgspec.structs import replace

from wallet_lab.report.model import (
    API_ALONE,
    Audit,
    Capacity,
    Check,
    Costs,
    Delay,
    FaultRun,
    Injection,
    Latency,
    Machine,
    Mark,
    Outcomes,
    Probe,
    Ratios,
    Report,
    Route,
    Run,
    Size,
    Sustained,
    Window,
)

BEGAN = datetime(2000, 1, 1, 12, 0, tzinfo=UTC)
CLOSED = {
    "hot-pair": "50 clients, one pair of wallets",
    "uniform-1k": "50 clients, 1000 wallets",
    "zipf": "50 clients, few wallets get most",
    "refusals": "a third is refused",
    "reads": "50 clients read balances",
    "normal": "50 clients that pause",
}
COMPONENTS = {
    "saga": ("orchestrator", "worker", "postgres", "redis"),
    "cqrs": (
        "command",
        "relay",
        "projection",
        "query",
        "postgres-events",
        "postgres-read",
        "rabbitmq",
        "redis",
        "gateway",
    ),
    "acid": ("service", "postgres"),
    "noop": ("noop",),
}
COMPARED = ("saga", "cqrs", "acid")
SPEED = {"saga": 1900.0, "cqrs": 1500.0, "acid": 1950.0, "noop": 4800.0}
CPU_MS = {"saga": 0.46, "cqrs": 0.73, "acid": 0.31, "noop": 0.05}
WRITTEN_BYTES = {"saga": 5900.0, "cqrs": 6100.0, "acid": 3100.0, "noop": 0.0}
MEDIAN_MS = {"saga": 6.0, "cqrs": 7.0, "acid": 4.0, "noop": 1.0}
CHECKS = ("money is conserved", "no wallet is negative", "every acknowledged transfer is in the books once")
LOST = "2 acknowledged transfers are not in the books"
NOT_RUN = "the container could not be disconnected from the network"


@cache
def synthetic_report(blocks: int = 10) -> Report:
    """Return the report; its figures are always the same."""
    draws = random.Random(7)
    return Report(
        title="Invented figures: nothing here was measured",
        started_at=BEGAN,
        finished_at=BEGAN + timedelta(minutes=84, seconds=4),
        complete=True,
        command="./lab compare --arch saga,cqrs,acid",
        machine=Machine(
            cpu="none, the figures are invented", cores=2, memory_mib=24000, system="none", kernel="0"
        ),
        versions={"postgres": "18.6", "k6": "1.1.0", "python": "3.11.2"},
        scenarios={
            **CLOSED,
            "open": "600 arrive per second",
            "uniform-100k": "100 000 wallets",
        },
        runs=[run for block in range(1, blocks + 1) for run in _block(draws, block)],
        consistency_delay_ms=[
            _delay(draws, architecture, load, block)
            for block in range(1, blocks + 1)
            for architecture in COMPARED
            for load in ("idle", "with 300 transfers/s")
        ],
        recovery=[],
        capacities=[_capacity(draws, name, block) for block in range(1, blocks + 1) for name in COMPARED],
        sustained=[_sustained(draws, name) for name in COMPARED],
        faults=[_fault(draws, *each) for each in FAULTS],
        sizes=[_size(name) for name in COMPARED],
        properties={
            "saga": ["fresh-reads", "several-databases"],
            "cqrs": ["event-history"],
            "acid": ["fresh-reads"],
        },
        ratios=Ratios(noop={"saga": 0.41, "cqrs": 0.33}, hot_over_uniform={"saga": 1.5, "cqrs": 1.1}),
        not_measured=["Several machines: everything ran on one.", "Sustained load over hours."],
    )


def without_books(report: Report, name: str) -> Report:
    """Return a report in which the audits of one architecture used the API alone and left out the last check."""
    checks = [Check(name=check, passed=True) for check in (API_ALONE, *CHECKS[:-1])]
    alone = Audit(passed=True, checks=checks)
    runs = [
        replace(run, audit=alone) if run.architecture == name and run.audit else run for run in report.runs
    ]
    return replace(report, runs=runs, capacities=[], sustained=[], faults=[])


def _block(draws: random.Random, block: int) -> list[Run]:
    """Return the runs of one block: the control, the architectures, and the second run of one of them."""
    names = ["noop", *COMPARED]
    found = [_closed(draws, name, scenario, block) for scenario in CLOSED for name in names]
    found += [_open(draws, name, block) for name in names]
    found += [_closed(draws, "saga", scenario, block, again=True) for scenario in ("hot-pair", "uniform-1k")]
    found += [_closed(draws, name, "uniform-1k", block, route="gateway") for name in COMPARED]
    return [*found, *(_not_run(name, block) for name in COMPARED)]


def _not_run(architecture: str, block: int) -> Run:
    return Run(
        architecture=architecture,
        scenario="uniform-100k",
        block=block,
        repeat=1,
        verdict="not-run",
        why="k6 was not found",
        started_at=BEGAN,
        duration_s=0,
        outcomes=Outcomes(),
    )


def _closed(
    draws: random.Random,
    architecture: str,
    scenario: str,
    block: int,
    *,
    again: bool = False,
    route: Route = "direct",
) -> Run:
    easy = {"reads": 2.6, "hot-pair": 1.1, "refusals": 0.9, "normal": 0.05}.get(scenario, 1.0)
    easy *= 0.7 if route == "gateway" else 1.0
    rate = SPEED[architecture] * easy * draws.uniform(0.96, 1.04)
    if scenario == "hot-pair" and architecture == "acid":
        rate /= 4
    if (architecture, scenario, block) == ("cqrs", "zipf", 2):
        return _failed(scenario, block)
    return _passed(
        draws, architecture, scenario, block, rate, 50_000 / rate / 20, None, again=again, route=route
    )


def _failed(scenario: str, block: int) -> Run:
    return Run(
        architecture="cqrs",
        scenario=scenario,
        block=block,
        repeat=1,
        verdict="failed",
        why=LOST,
        started_at=BEGAN,
        duration_s=10,
        outcomes=Outcomes(success=14000),
        audit=Audit(passed=False, checks=[Check(name=name, passed=name != CHECKS[2]) for name in CHECKS]),
    )


def _open(draws: random.Random, architecture: str, block: int) -> Run:
    median_ms = MEDIAN_MS[architecture] * draws.uniform(0.9, 1.1)
    return _passed(draws, architecture, "open", block, 600, median_ms, 600)


def _passed(
    draws: random.Random,
    architecture: str,
    scenario: str,
    block: int,
    rate: float,
    median_ms: float,
    offered: float | None,
    *,
    again: bool = False,
    route: Route = "direct",
) -> Run:
    count = int(rate * 10)
    refused = (
        {"no-such-wallet": count // 9, "insufficient-funds": count // 9} if scenario == "refusals" else {}
    )
    written = None if architecture == "noop" or scenario == "reads" else WRITTEN_BYTES[architecture]
    return Run(
        architecture=architecture,
        scenario=scenario,
        block=block,
        again=again,
        route=route,
        repeat=1,
        verdict="passed",
        started_at=BEGAN + timedelta(seconds=30 * block),
        duration_s=10,
        clients=50,
        offered_per_s=offered,
        acked_per_s=rate,
        completed_per_s=rate * 0.99,
        latency_ms=_latency(draws, median_ms),
        outcomes=Outcomes(
            success=count, pending=3, refused=refused, unknown=count // 2000, rejected=count // 400
        ),
        dropped_iterations=12 if offered and architecture == "cqrs" else 0,
        server_cpu_ms_per_transfer=_costs(
            draws, architecture, CPU_MS[architecture] * draws.uniform(0.97, 1.03)
        ),
        disk_bytes_per_transfer=None
        if written is None
        else _costs(draws, architecture, written * draws.uniform(0.98, 1.02)),
        network_bytes_per_transfer=Costs(total=2200.0, by_component={"loopback": 2200.0}),
        broker_messages_per_transfer=0.04 if architecture == "cqrs" else None,
        memory_mib_max={name: draws.uniform(40, 200) for name in COMPONENTS[architecture]},
        batch_size_mean={"debit": 12.5},
        steal_percent=draws.uniform(0, 5),
        load_average=4.2,
        client_cpu_percent=22.0,
        other_cpu_percent=float(5 + block),
        audit=None if architecture == "noop" else _audit(0.4),
    )


def _audit(settled_s: float) -> Audit:
    return Audit(passed=True, checks=[Check(name=name, passed=True) for name in CHECKS], settled_s=settled_s)


def _costs(draws: random.Random, architecture: str, total: float) -> Costs:
    shares = {name: draws.uniform(0.5, 1.5) for name in COMPONENTS[architecture]}
    whole = sum(shares.values())
    return Costs(total=total, by_component={name: total * share / whole for name, share in shares.items()})


def _latency(draws: random.Random, median_ms: float) -> Latency:
    spread = draws.uniform(0.45, 0.6)
    calls = sorted(median_ms * draws.lognormvariate(0, spread) for _ in range(2000))
    shares = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1)
    at = {share: calls[min(len(calls) - 1, int(share * len(calls)))] for share in shares}
    return Latency(p50=at[0.5], p95=at[0.95], p99=at[0.99], max=at[1], distribution=list(at.items()))


def _delay(draws: random.Random, architecture: str, load: str, block: int) -> Delay:
    median_ms = {"cqrs": 6.0 if load == "idle" else 22.0}.get(architecture, 0.5)
    of = _latency(draws, median_ms * draws.uniform(0.9, 1.1))
    hops = {"stored → published": 2.0, "published → projected": 3.0, "projected → cached": 1.0}
    return Delay(
        architecture=architecture,
        load=load,
        repeat=block,
        samples=2000,
        p50=of.p50,
        p95=of.p95,
        p99=of.p99,
        max=of.max,
        distribution=of.distribution,
        hops_p50_ms=hops if architecture == "cqrs" else {},
        plain_read_ms=_latency(draws, 2.0),
        fresh_read_ms=_latency(draws, 2.0 + median_ms),
    )


def _capacity(draws: random.Random, architecture: str, block: int) -> Capacity:
    full = SPEED[architecture] * draws.uniform(0.93, 1.07)
    rates = {"20": 0.6 * full, "50": 0.8 * full, "100": 0.9 * full}
    if architecture == "cqrs" and block == 3:
        del rates["20"]
    return Capacity(
        architecture=architecture,
        repeat=block,
        verdict="passed",
        rates_per_s=rates,
        probes=[
            _probe(architecture, rate, rate / full) for rate in (400.0, 800, 1100, 1300, 1500, 1700, 1900)
        ],
        audit=_audit(0.4),
    )


def _probe(architecture: str, rate: float, used: float) -> Probe:
    wait = 1 / max(0.02, 1 - used)
    median_ms = MEDIAN_MS[architecture] * wait / 1.5
    return Probe(
        rate_per_s=rate,
        p50_ms=median_ms,
        p99_ms=median_ms * (3 + wait / 4),
        failed_share=max(0.0, 1 - 1 / used) if used > 1 else 0.0,
    )


def _sustained(draws: random.Random, architecture: str) -> Sustained:
    rate = 0.56 * SPEED[architecture]
    return Sustained(
        architecture=architecture,
        verdict="passed",
        rate_per_s=rate,
        duration_s=600,
        windows=[_window(draws, architecture, at, rate) for at in range(0, 600, 10)],
        marks=[Mark(at_s=at, what="checkpoint") for at in (150.0, 300.0, 450.0)],
        outcomes=Outcomes(success=int(rate * 600)),
        dropped_iterations=0,
        latency_ms=_latency(draws, MEDIAN_MS[architecture]),
        server_cpu_ms_per_transfer=_costs(draws, architecture, CPU_MS[architecture]),
        disk_bytes_per_transfer=_costs(draws, architecture, WRITTEN_BYTES[architecture]),
        memory_mib_max={name: draws.uniform(40, 200) for name in COMPONENTS[architecture]},
        audit=_audit(0.4),
    )


def _window(draws: random.Random, architecture: str, at_s: int, rate: float) -> Window:
    busy = 4.0 if at_s % 150 < 30 and at_s >= 150 else 1.0
    median_ms = MEDIAN_MS[architecture] * draws.uniform(0.9, 1.1)
    return Window(
        at_s=float(at_s),
        acked_per_s=rate * draws.uniform(0.98, 1.01),
        p50_ms=median_ms,
        p99_ms=median_ms * 4 * busy,
    )


WRITES = "a service that writes, killed"
DATABASE = "a database that takes writes, killed"
FAULTS = (
    ("saga", "kill-worker", "kill", WRITES, 0.8),
    ("cqrs", "kill-command", "kill", WRITES, 1.9),
    ("acid", "kill-service", "kill", WRITES, 0.85),
    ("saga", "kill-postgres", "kill", DATABASE, 1.5),
    ("cqrs", "kill-event-store", "kill", DATABASE, 3.4),
    ("acid", "kill-postgres", "kill", DATABASE, 1.6),
    ("cqrs", "kill-projection", "kill", "the projection, killed", 0.0),
    ("cqrs", "kill-rabbitmq", "kill", "the broker, killed", 0.0),
    ("saga", "pause-redis", "pause", "the cache, paused", 1.0),
    ("cqrs", "pause-redis", "pause", "the cache, paused", 0.0),
    ("saga", "cut-worker", "cut", "a service that writes, disconnected", None),
)


def _fault(
    draws: random.Random, architecture: str, fault: str, action: str, hits: str, down_s: float | None
) -> FaultRun:
    return FaultRun(
        architecture=architecture,
        fault=fault,
        action=action,
        hits=hits,
        verdict="not-run" if down_s is None else "passed",
        why=NOT_RUN if down_s is None else "",
        rate_per_s=300,
        injections=[] if down_s is None else [_injection(draws, number, down_s) for number in range(10)],
        outcomes=Outcomes(success=40000, unknown=40, rejected=900),
        lost=None if down_s is None else 0,
        audit=None if down_s is None else _audit(1.2),
    )


def _injection(draws: random.Random, number: int, down_s: float) -> Injection:
    down_s *= draws.lognormvariate(0, 0.15)
    return Injection(
        at_s=10.0 + 15 * number,
        bound_calls=int(300 * down_s),
        bound_affected_share=min(1.0, draws.uniform(0.7, 1.0)) if down_s else None,
        bound_failed_share=draws.uniform(0.2, 0.5) if down_s else None,
        other_failed_share=0.0,
        other_calls=3000,
        other_affected_share=draws.uniform(0, 0.02),
        outage_s=down_s,
        first_success_s=down_s + 0.02 if down_s else None,
        full_throughput_s=down_s + draws.uniform(0.1, 0.5) if down_s else 0.0,
        drained_s=down_s + draws.uniform(0.5, 1.5),
        converged_s=None if number == 4 and down_s > 3 else down_s + draws.uniform(0.6, 2.0),
        stale_ms_max=draws.uniform(10, 3000),
    )


def _size(architecture: str) -> Size:
    own, servers, lines, modes = {
        "saga": ({"orchestrator": 1, "worker": 2}, {"postgres": 2, "redis": 1}, 2900, 4),
        "cqrs": (
            {"command": 1, "relay": 1, "projection": 2, "query": 1},
            {"postgres": 3, "redis": 1, "rabbitmq": 1, "gateway": 1},
            4100,
            9,
        ),
        "acid": ({"service": 1}, {"postgres": 1}, 600, 2),
    }[architecture]
    return Size(
        architecture=architecture,
        services=own,
        servers=servers,
        lines=lines,
        kernel_lines=2500,
        failure_modes=modes,
    )
