"""Writes the runs of a report as CSV, one row per run, for other programs."""

import csv
from pathlib import Path

from wallet_lab.report.model import Report, Run

FIELDS = (
    *("architecture", "scenario", "block", "again", "route", "paced", "repeat", "verdict", "why"),
    *("started_at", "duration_s", "clients", "offered_per_s", "acked_per_s", "completed_per_s"),
    *("dropped_iterations", "broker_messages_per_transfer", "steal_percent", "load_average"),
    *("client_cpu_percent", "other_cpu_percent"),
)
"""The columns that are fields of a run."""
LATENCIES = ("p50", "p95", "p99", "max")
COSTS = ("server_cpu_ms_per_transfer", "disk_bytes_per_transfer", "network_bytes_per_transfer")
OUTCOMES = ("success", "pending", "unknown", "rejected", "error")


def write_csv(report: Report, file: Path) -> None:
    """Write the file. A figure that was not measured is empty.

    Raises:
        OSError: the file is not writable.
    """
    rows = [row(run) for run in report.runs]
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, HEADER)
        writer.writeheader()
        writer.writerows(rows)


def row(run: Run) -> dict[str, object]:
    """Return the columns of a run."""
    reads = run.reads
    return {
        **{name: getattr(run, name) for name in FIELDS},
        **{f"latency_ms_{name}": getattr(run.latency_ms, name, None) for name in LATENCIES},
        **{name: getattr(getattr(run, name), "total", None) for name in COSTS},
        **{name: getattr(run.outcomes, name) for name in OUTCOMES},
        "refused": sum(run.outcomes.refused.values()),
        "reads_per_s": reads.acked_per_s if reads else None,
        "reads_latency_ms_p99": reads.latency_ms.p99 if reads and reads.latency_ms else None,
    }


HEADER = (
    *FIELDS,
    *(f"latency_ms_{name}" for name in LATENCIES),
    *COSTS,
    *OUTCOMES,
    *("refused", "reads_per_s", "reads_latency_ms_p99"),
)
