"""A report of invented, plausible figures with every part that a report can have."""

import random
from datetime import UTC, datetime, timedelta
from functools import cache

from wallet_lab.report.model import (
    Audit,
    Check,
    Costs,
    Delay,
    Latency,
    Machine,
    Outcomes,
    Ratios,
    Recovery,
    Report,
    Run,
    Second,
)

BEGAN = datetime(2000, 1, 1, 12, 0, tzinfo=UTC)
CLOSED = {
    "normal": "50 clients",
    "hot-pair": "50 clients, one pair of wallets",
    "uniform-1k": "50 clients, 1000 wallets",
    "zipf": "50 clients, few wallets get most",
    "refusals": "a third is refused",
    "reads": "50 clients read balances",
}
COMPONENTS = {
    "saga": ("orchestrator", "worker", "postgres", "redis"),
    "cqrs": (
        "command",
        "relay",
        "projection",
        "query",
        "event-store",
        "postgres",
        "rabbitmq",
        "redis",
        "gateway",
    ),
    "noop": ("noop",),
}
SPEED = {"saga": 1900.0, "cqrs": 1500.0, "noop": 4800.0}
CHECKS = ("money is conserved", "no wallet is negative", "what was acknowledged is in the books once")
LOST = "2 acknowledged transfers are not in the books"


@cache
def synthetic_report(repeats: int = 3) -> Report:
    """Return the report; its figures are always the same."""
    draws = random.Random(7)
    runs = [
        run
        for repeat in range(1, repeats + 1)
        for architecture in ("saga", "cqrs", "noop")
        for run in _runs(draws, architecture, repeat)
    ]
    return Report(
        title="Invented figures: nothing here was measured",
        started_at=BEGAN,
        finished_at=BEGAN + timedelta(minutes=31, seconds=4),
        complete=True,
        command="./lab compare",
        machine=Machine(
            cpu="none, the figures are invented", cores=2, memory_mib=24000, system="none", kernel="0"
        ),
        versions={"postgres": "18.6", "k6": "1.1.0", "python": "3.11.2"},
        scenarios={
            **CLOSED,
            "open": "600 arrive per second",
            "sweep": "rising rates",
            "uniform-100k": "100 000 wallets",
        },
        runs=runs,
        consistency_delay_ms=[
            _delay(draws, a, load, r)
            for a in ("saga", "cqrs")
            for load in ("idle", "open")
            for r in range(1, repeats + 1)
        ],
        recovery=[recovery for repeat in range(1, repeats + 1) for recovery in _recoveries(draws, repeat)],
        ratios=Ratios(noop={"saga": 0.41, "cqrs": 0.33}, hot_over_uniform={"saga": 1.5, "cqrs": 1.1}),
        not_measured=["Several machines: everything ran on one.", "Sustained load over hours."],
    )


def _runs(draws: random.Random, architecture: str, repeat: int) -> list[Run]:
    found = [_closed(draws, architecture, scenario, repeat) for scenario in CLOSED]
    found += [
        _offered(draws, architecture, f"sweep-{rate}", rate, repeat)
        for rate in (500, 1000, 1500, 2000, 2500, 3000)
    ]
    found.append(_offered(draws, architecture, "open", 600, repeat))
    found.append(_not_run(architecture, repeat))
    return found


def _not_run(architecture: str, repeat: int) -> Run:
    return Run(
        architecture=architecture,
        scenario="uniform-100k",
        repeat=repeat,
        verdict="not-run",
        why="k6 was not found",
        started_at=BEGAN,
        duration_s=0,
        outcomes=Outcomes(),
    )


def _closed(draws: random.Random, architecture: str, scenario: str, repeat: int) -> Run:
    easy = {"reads": 2.6, "hot-pair": 1.1, "refusals": 0.9}.get(scenario, 1.0)
    rate = SPEED[architecture] * easy * draws.uniform(0.93, 1.07)
    if (architecture, scenario, repeat) == ("cqrs", "zipf", 2):
        return _failed(scenario, repeat)
    return _passed(draws, architecture, scenario, repeat, rate, 50_000 / rate, None)


def _failed(scenario: str, repeat: int) -> Run:
    return Run(
        architecture="cqrs",
        scenario=scenario,
        repeat=repeat,
        verdict="failed",
        why=LOST,
        started_at=BEGAN,
        duration_s=10,
        outcomes=Outcomes(success=14000),
        audit=Audit(passed=False, checks=[Check(name=name, passed=name != CHECKS[2]) for name in CHECKS]),
    )


def _offered(draws: random.Random, architecture: str, scenario: str, rate: float, repeat: int) -> Run:
    full = SPEED[architecture] * draws.uniform(0.95, 1.05)
    return _passed(
        draws, architecture, scenario, repeat, min(rate, full), 6 / max(0.03, 1 - rate / full), rate
    )


def _passed(
    draws: random.Random,
    architecture: str,
    scenario: str,
    repeat: int,
    rate: float,
    median_ms: float,
    offered: float | None,
) -> Run:
    count = int(rate * 10)
    refused = (
        {"no-such-wallet": count // 9, "insufficient-funds": count // 9} if scenario == "refusals" else {}
    )
    return Run(
        architecture=architecture,
        scenario=scenario,
        repeat=repeat,
        verdict="passed",
        started_at=BEGAN + timedelta(seconds=30 * repeat),
        duration_s=10,
        clients=50,
        offered_per_s=offered,
        acked_per_s=rate,
        completed_per_s=rate * 0.99,
        latency_ms=_latency(draws, median_ms),
        outcomes=Outcomes(
            success=count, pending=3, refused=refused, unknown=count // 2000, rejected=count // 400
        ),
        dropped_iterations=int(10 * (offered - rate)) if offered and offered > rate else 0,
        server_cpu_ms_per_transfer=_costs(draws, architecture, 1400 / SPEED[architecture]),
        disk_bytes_per_transfer=None
        if architecture == "noop" or scenario == "reads"
        else _costs(draws, architecture, 2.2e6 / rate),
        network_bytes_per_transfer=Costs(total=2200.0, by_component={"loopback": 2200.0}),
        broker_messages_per_transfer=0.04 if architecture == "cqrs" else None,
        memory_mib_max={name: draws.uniform(40, 200) for name in COMPONENTS[architecture]},
        batch_size_mean={"debit": 12.5} if architecture == "saga" else {"append": 14.1},
        steal_percent=draws.uniform(0, 5),
        load_average=4.2,
        client_cpu_percent=22.0,
        audit=None
        if architecture == "noop"
        else Audit(passed=True, checks=[Check(name=name, passed=True) for name in CHECKS], settled_s=0.4),
    )


def _costs(draws: random.Random, architecture: str, total: float) -> Costs:
    shares = {name: draws.uniform(0.5, 1.5) for name in COMPONENTS[architecture]}
    whole = sum(shares.values())
    return Costs(total=total, by_component={name: total * share / whole for name, share in shares.items()})


def _latency(draws: random.Random, median_ms: float) -> Latency:
    spread = draws.uniform(0.45, 0.6)
    calls = sorted(median_ms * draws.lognormvariate(0, spread) for _ in range(4000))
    shares = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1)
    at = {share: calls[min(len(calls) - 1, int(share * len(calls)))] for share in shares}
    return Latency(p50=at[0.5], p95=at[0.95], p99=at[0.99], max=at[1], distribution=list(at.items()))


def _delay(draws: random.Random, architecture: str, load: str, repeat: int) -> Delay:
    median_ms = {("saga", "idle"): 2.0, ("saga", "open"): 4.0, ("cqrs", "idle"): 9.0}.get(
        (architecture, load), 22.0
    )
    of = _latency(draws, median_ms)
    return Delay(
        architecture=architecture,
        load=load,
        repeat=repeat,
        samples=4000,
        p50=of.p50,
        p95=of.p95,
        p99=of.p99,
        max=of.max,
        distribution=of.distribution,
    )


FAULTS = {
    ("saga", "kill-worker"): ("the service that writes", 1.6),
    ("saga", "kill-postgres"): ("the database that takes writes", 2.9),
    ("cqrs", "kill-command"): ("the service that writes", 1.9),
    ("cqrs", "kill-event-store"): ("the database that takes writes", 3.4),
    ("cqrs", "kill-projection"): ("the projection", 0.0),
    ("cqrs", "kill-rabbitmq"): ("the broker", 0.0),
}


def _recoveries(draws: random.Random, repeat: int) -> list[Recovery]:
    return [_recovery(draws, *fault, *what, repeat) for fault, what in FAULTS.items()]


def _recovery(
    draws: random.Random, architecture: str, fault: str, hits: str, down_s: float, repeat: int
) -> Recovery:
    down_s *= draws.uniform(0.8, 1.2)
    return Recovery(
        architecture=architecture,
        fault=fault,
        hits=hits,
        repeat=repeat,
        verdict="passed",
        detected_s=0.02 if down_s else None,
        first_success_s=down_s or None,
        drained_s=down_s + 0.8 if down_s else 6.5,
        converged_s=down_s + 1.1 if down_s else 0.0,
        lost=0,
        outcomes=Outcomes(success=9000, unknown=40, rejected=900),
        timeline=[_second(draws, half / 2, down_s) for half in range(-10, 31)],
        audit=Audit(passed=True, checks=[Check(name=name, passed=True) for name in CHECKS], settled_s=1.2),
    )


def _second(draws: random.Random, at_s: float, down_s: float) -> Second:
    is_down = 0 <= at_s < down_s
    return Second(
        at_s=at_s,
        acked_per_s=0 if is_down else 600 * draws.uniform(0.95, 1.05),
        unknown_per_s=60 if is_down else 0,
        rejected_per_s=400 if is_down else 0,
    )
