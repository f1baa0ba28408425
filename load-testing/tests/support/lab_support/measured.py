"""A measurement of invented figures, as k6 and the sampler would make it."""

from datetime import UTC, datetime
from pathlib import Path

from wallet_lab.record.calls import Call
from wallet_lab.workload.k6 import Load, Reads, Summary, SweepStep, Visible
from wallet_lab.workload.measurement import Measurement
from wallet_lab.workload.sampler import Usage
from wallet_lab.workload.scenarios import find


def measurement(scenario: str = "hot-pair") -> Measurement:
    """Two seconds with an acknowledgement every 10 ms; the last one is too late."""
    chosen = find(scenario).lasting(2.0)
    parts = ["sweep-250" if n < 100 else "sweep-500" for n in range(201)]
    calls = [Call(str(n), 10 * n, 4.0, "success", str(n), part) for n, part in enumerate(parts)]
    summary = Summary(
        clients_max=50,
        duration_s=2.1,
        requests=2001,
        iterations=201,
        dropped_iterations=3,
        reads=Reads(success=1800),
        delay_ms=Visible(p50=1, p95=2, p99=3, max=4, samples=9),
        crossed=[],
        steps=[SweepStep(name="sweep-250", rate=250), SweepStep(name="sweep-500", rate=500)],
    )
    return Measurement(
        architecture="saga",
        scenario=chosen,
        load=Load("r", datetime(2026, 1, 1, tzinfo=UTC), 2.5, Path("record"), summary, cpu_s=1.0),
        calls=calls,
        settled_s=0.5,
        usage=Usage(
            {"worker": 0.201, "postgres": 0.402}, {"postgres": 2010.0}, 4020.0, 1.0, machine_s=5.0, busy_s=3.0
        ),
        memory_mib_max={"worker": 50.0},
        batch_size_mean={"worker: steps": 7.0},
        broker_messages=402.0,
        load_average=1.0,
    )
