"""Runs one scenario's load on a running stack and measures it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from wallet_lab.errors import LabError
from wallet_lab.record.calls import Call
from wallet_lab.report.model import Route
from wallet_lab.stack.components import Entry
from wallet_lab.stack.health.backlog import wait_for_quiescence
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.counters import batch_size_mean, messages_published, read_counters
from wallet_lab.workload.k6 import Load, record_of, run_k6
from wallet_lab.workload.profile.py_spy import sampling
from wallet_lab.workload.sampler import Usage, between, look, watching_memory
from wallet_lab.workload.scenarios import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Everything measured during one load. No performance may be derived from it before the audit: see `judge`."""

    architecture: str
    scenario: Scenario
    load: Load
    calls: list[Call]
    """The transfers of the load."""
    settled_s: float | None
    """Seconds from the end of the load to quiescence; None if the stack did not reach it."""
    usage: Usage
    memory_mib_max: Mapping[str, float]
    batch_size_mean: Mapping[str, float]
    broker_messages: float | None
    load_average: float
    route: Route = "direct"


def entry(stack: RunningStack, route: Route) -> Entry:
    """Return the URLs for clients that take this route.

    Raises:
        LabError: the stack has no gateway.
    """
    if route == "direct":
        return stack.direct
    if stack.base_url in stack.direct.write_urls:
        raise LabError(
            f"This stack of {stack.architecture} has no gateway. Stop it, so that the lab starts one."
        )
    return Entry.at(stack.base_url)


def measure(
    stack: RunningStack,
    scenario: Scenario,
    *,
    run: str,
    folder: Path,
    evidence: duckdb.DuckDBPyConnection,
    route: Route = "direct",
    profile: Path | None = None,
) -> Measurement:
    """Run the load on the stack and wait for quiescence, because the remaining work counts as well.

    The calls are added to the evidence. The folder `profile` gets samples of the Python functions.

    Raises:
        LabError: k6 could not run the load, its record is not complete, or the sampling failed.
    """
    counted, before = read_counters(stack), look(stack)
    with sampling(stack, profile), watching_memory(stack) as memory:
        load = run_k6(scenario, entry(stack, route), run=run, folder=folder)
        settled_s = asyncio.run(wait_for_quiescence(stack))
    after, counted_after = look(stack), read_counters(stack)
    return Measurement(
        architecture=stack.architecture,
        scenario=scenario,
        load=load,
        calls=record_of(load, evidence),
        settled_s=settled_s,
        usage=between(before, after),
        memory_mib_max=memory.mib_max,
        batch_size_mean=batch_size_mean(counted, counted_after),
        broker_messages=messages_published(stack, counted, counted_after),
        load_average=after.load_average,
        route=route,
    )
