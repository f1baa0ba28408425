"""A table of every run with all its measurements."""

from wallet_lab.report.model import Report, Run
from wallet_lab.report.quantities import scene_of
from wallet_lab.report.table import Table
from wallet_lab.report.wording import number

_COLUMNS = (
    "architecture",
    "scenario",
    "block",
    "repeat",
    "verdict",
    "clients",
    "seconds",
    "offered/s",
    "acknowledged/s",
    "ended/s",
    "50 %, ms",
    "95 %, ms",
    "99 %, ms",
    "slowest, ms",
    "never sent",
    "CPU-ms",
    "disk bytes",
    "network bytes",
    "broker messages",
    "mean batch",
    "memory, MiB",
    "steal, %",
    "load",
    "k6's CPU, %",
    "other CPU, %",
    "settled, s",
)


def runs_table(report: Report) -> Table:
    """Return one row per run, in the order of execution."""
    return Table(_COLUMNS, [_row(run) for run in report.runs])


def _row(run: Run) -> tuple[str, ...]:
    latency, costs = run.latency_ms, run.server_cpu_ms_per_transfer
    return (
        run.architecture,
        f"{scene_of(run)}, again" if run.again else scene_of(run),
        str(run.block),
        str(run.repeat),
        f"{run.verdict}: {run.why}" if run.why else run.verdict,
        number(run.clients or None),
        number(run.duration_s),
        number(run.offered_per_s),
        number(run.acked_per_s),
        number(run.completed_per_s),
        *(
            number(value)
            for value in ((latency.p50, latency.p95, latency.p99, latency.max) if latency else [None] * 4)
        ),
        number(run.dropped_iterations),
        number(costs.total if costs else None),
        number(run.disk_bytes_per_transfer.total if run.disk_bytes_per_transfer else None),
        number(run.network_bytes_per_transfer.total if run.network_bytes_per_transfer else None),
        number(run.broker_messages_per_transfer),
        ", ".join(f"{name} {number(size)}" for name, size in (run.batch_size_mean or {}).items()),
        number(sum(run.memory_mib_max.values()) if run.memory_mib_max else None),
        number(run.steal_percent),
        number(run.load_average),
        number(run.client_cpu_percent),
        number(run.other_cpu_percent),
        number(run.audit.settled_s if run.audit else None),
    )
