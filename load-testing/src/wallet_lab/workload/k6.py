"""Runs k6 with the project's script, and reads its results."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import duckdb
from msgspec import Struct
from msgspec.json import decode

from wallet_lab.environment_variables import BARE
from wallet_lab.errors import LabError
from wallet_lab.record.calls import Call
from wallet_lab.record.reader import add_calls, read_record
from wallet_lab.report.model import Latency
from wallet_lab.signals import deferred
from wallet_lab.stack.components import Entry
from wallet_lab.stack.files.home import checkout
from wallet_lab.stack.supervision.logs import tail
from wallet_lab.stack.supervision.process import die_with
from wallet_lab.workload.cores import on_client_cores
from wallet_lab.workload.scenarios import WALLET_PREFIX, Scenario

THRESHOLDS_CROSSED = 99
"""k6's exit code if the load ran as planned but a threshold was missed. The summary names the threshold."""
STOPPED = 105
"""k6's exit code after SIGINT. It still writes the summary."""
STOP_LOOK_S = 0.02
STOP_TIMEOUT_S = 10.0
ARRIVALS_TOLERANCE = 0.05
STOPPED_TOLERANCE = 0.15
"""The tolerance for a load that was stopped, because k6 does not count the iterations that it cancels."""
LATE_START_S = 0.5
"""k6's clients start some tens of milliseconds late, and later on a busy machine."""
CLOCK_TOLERANCE_S = 0.5
LAST_ANSWERS_S = 45.0
"""A client waits 20 s for a response, and k6 gives clients 25 s to stop."""


class DifferentLoad(LabError):
    """k6 ran another load than requested. The evidence has all calls of the load."""


class Reads(Struct, kw_only=True, frozen=True):
    """The reads of balances: their number by outcome, and their latency."""

    success: int = 0
    refused: int = 0
    unknown: int = 0
    rejected: int = 0
    error: int = 0
    latency_ms: Latency | None = None


class SweepStep(Struct, kw_only=True, frozen=True):
    """One step of a sweep. The keys of its calls contain its name."""

    name: str
    rate: float


class Visible(Latency, kw_only=True, frozen=True):
    """The time from a write's response until readers see the write."""

    samples: int


class Summary(Struct, kw_only=True, frozen=True):
    """The part of the script's summary that the lab uses (load-testing/lib/summary.js)."""

    clients_max: int
    """The largest number of concurrent clients in k6."""
    duration_s: float
    """Seconds from the end of k6's setup to the last response."""
    requests: int
    """The requests that k6 itself has counted."""
    iterations: int
    dropped_iterations: int
    reads: Reads | None
    delay_ms: Visible | None
    plain_read_ms: Latency | None = None
    fresh_read_ms: Latency | None = None
    steps: list[SweepStep]
    crossed: list[str]
    """The thresholds that were missed, such as `checks rate==1`, which means a wrong response."""


@dataclass(frozen=True, slots=True)
class Load:
    """One run of k6."""

    run: str
    """The prefix of its idempotency keys."""
    started_at: datetime
    elapsed_s: float
    """Seconds from k6's start to its end. It includes the time that k6 takes to start and to stop."""
    record: Path
    """The file with every call (`read_record`)."""
    summary: Summary
    cpu_s: float
    """Processor time of k6 itself."""
    stopped_at: float | None = None
    """When the lab stopped it before the end of its load, in seconds since 1970. Later responses mean nothing."""
    differences: tuple[str, ...] = ()
    """A phrase for each difference between the requested and the measured load."""


def record_file(folder: Path, run: str) -> Path:
    """Return the file in which k6 records every call while it runs."""
    return folder / f"{run}.calls"


def run_k6(
    scenario: Scenario, entry: Entry, *, run: str, folder: Path, stop: threading.Event | None = None
) -> Load:
    """Run a scenario's load on a stack whose wallets exist; returns when every call has ended.

    If `stop` is set, the load ends early, and calls without an answer are recorded as unknown.

    Raises:
        LabError: k6 could not run the load; the text ends with its last lines.
    """
    record, summary, output = record_file(folder, run), folder / f"{run}.json", folder / f"{run}.out"
    settings = {**_environment(scenario, entry), "RUN": run, "SUMMARY": str(summary)}
    settings |= {"REQUESTS": "1"} if stop else {}
    cpu_before_s, started_at, started_s = _children_cpu_s(), datetime.now(UTC), time.monotonic()
    with output.open("wb") as said, on_client_cores():
        process = _start(settings, record, said)
    code, stopped_at = _wait(process, stop)
    elapsed_s, cpu_s, ended_at = time.monotonic() - started_s, _children_cpu_s() - cpu_before_s, time.time()
    if code not in {0, THRESHOLDS_CROSSED} and not (code == STOPPED and stopped_at):
        raise LabError(f"k6 ended with status {code}:\n{tail(output, 10)}\n{tail(record, 10)}")
    seen = decode(summary.read_bytes(), type=Summary)
    if stopped_at:
        asked = scenario.lasting(seen.duration_s - (ended_at - stopped_at))
        differences = deviations(asked, seen, STOPPED_TOLERANCE)
    else:
        differences = deviations(scenario, seen)
    return Load(run, started_at, elapsed_s, record, seen, cpu_s, stopped_at, tuple(differences))


def record_of(load: Load, evidence: duckdb.DuckDBPyConnection) -> list[Call]:
    """Add the calls of a load to the evidence; returns the transfers.

    Raises:
        LabError: the record is not complete, or (`DifferentLoad`) the load was not the requested one.
    """
    was_stopped = load.stopped_at is not None
    calls = read_record(evidence, load.record, requests=load.summary.requests, was_stopped=was_stopped)
    add_calls(evidence, load.run)
    if load.differences:
        raise DifferentLoad(f"k6 ran another load than requested: {'; '.join(load.differences)}")
    return calls


def deviations(scenario: Scenario, seen: Summary, tolerance_share: float = ARRIVALS_TOLERANCE) -> list[str]:
    """Compare the load that k6 measured with the scenario; returns a phrase for each difference."""
    asked_s = scenario.duration_s * max(1, len(scenario.rates_per_s))
    counted: list[tuple[str, float, float, float]] = [
        ("clients", seen.clients_max, scenario.clients_max, 0.0)
    ]
    if scenario.arrivals is not None:
        arrived = seen.iterations + seen.dropped_iterations
        tolerance = tolerance_share * scenario.arrivals + LATE_START_S * scenario.rate_max_per_s
        counted.append(("arrivals", arrived, scenario.arrivals, tolerance))
    found = [
        f"{asked:g} {what} were requested and {measured:g} measured"
        for what, measured, asked, tolerance in counted
        if abs(measured - asked) > tolerance
    ]
    if not asked_s - CLOCK_TOLERANCE_S <= seen.duration_s <= asked_s + LAST_ANSWERS_S:
        found.append(f"{asked_s:g} s of load were requested and {seen.duration_s:.1f} s measured")
    return found


def _environment(scenario: Scenario, entry: Entry) -> dict[str, str]:
    # The services read their keys from the same variable when the stack started.
    api_key, _, _ = os.environ.get("WALLET_API_KEYS", "").partition(",")
    rate = {} if scenario.rate_per_s is None else {"RATE": f"{scenario.rate_per_s:g}"}
    rates = {"RATES": ",".join(map(str, scenario.rates_per_s))} if scenario.rates_per_s else {}
    return {
        "SCENARIO": scenario.script,
        "WRITE_URL": ",".join(entry.write_urls),
        "READ_URL": ",".join(entry.read_urls),
        "VUS": str(scenario.clients),
        "DURATION": f"{scenario.duration_s:g}s",
        "WALLETS": str(scenario.wallets),
        "WALLET_PREFIX": WALLET_PREFIX,
        "SEEDED": "1",
        "CALLS": "1",
        "SEED": str(scenario.seed),
        "API_KEY": api_key,
        **rate,
        **rates,
    }


def _start(settings: Mapping[str, str], record: Path, output: IO[bytes]) -> "subprocess.Popen[bytes]":
    argv = [
        str(Path(sys.executable).parent / "k6"),
        "run",
        "--quiet",
        "--no-usage-report",
        "--address=",  # no port for k6's own API
        f"--log-output=file={record}",
        "--log-format=raw",
        str(checkout() / "load-testing" / "script.js"),
    ]
    with deferred():
        return subprocess.Popen(
            argv,
            # Environment variables, because every user of the machine can see arguments. The user's own variables and
            # the k6 configuration in the user's home are left out: both could change the clients, the duration or the
            # rate.
            env={**BARE, "HOME": "/nonexistent", **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the lab handles Ctrl-C and stops k6 itself
            preexec_fn=die_with(os.getpid(), signal.SIGKILL),  # noqa: PLW1509 -- it calls one C function
        )


def _wait(
    process: "subprocess.Popen[bytes]", stop: threading.Event | None = None
) -> tuple[int, float | None]:
    """Wait for k6's end; returns its exit code, and when it was stopped in seconds since 1970."""
    try:
        if stop is None:
            return process.wait(), None
        while process.poll() is None and not stop.wait(STOP_LOOK_S):
            pass
        stopped_at = time.time() if process.poll() is None else None
        return _stop(process), stopped_at
    finally:
        if process.returncode is None:
            process.terminate()
            _wait_or_kill(process)


def _stop(process: "subprocess.Popen[bytes]") -> int:
    """Ask k6 to end its load and to write its summary; returns the exit code, also if it has ended before."""
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(LAST_ANSWERS_S)
    except subprocess.TimeoutExpired:
        raise LabError(f"k6 did not stop within {LAST_ANSWERS_S:.0f} s") from None


def _wait_or_kill(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
