"""The exporter of a native stack's components, with real processes."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from wallet_monitoring.exporters.components import Components
from wallet_monitoring.processes import cpu_s, memory_bytes

MIB = 2**20
HOLD = "import os, time; held = bytearray(40 << 20); os.fork(); print(1, flush=True); time.sleep(60)"
"""Holds 40 MiB that two processes share."""


def exported(state: Path) -> tuple[dict[str, float], ...]:
    """The values of each metric by component: CPU time, memory, restarts."""
    return tuple(
        {sample.labels["component"]: sample.value for sample in metric.samples}
        for metric in Components(state).collect()
    )


def test_a_component_counts_all_its_processes(tmp_path: Path) -> None:
    """A component's CPU time includes all its processes; a dead component has only its restart count."""
    with subprocess.Popen(["/bin/sh", "-c", "python3 -c 'while 1: pass' & wait"]) as busy:
        while cpu_s(busy.pid) <= 0.1:
            time.sleep(0.05)
        state = tmp_path / "state.json"
        parts = [
            {"name": "worker-0", "kind": "worker", "pid": busy.pid, "restarts": 0},
            {"name": "redis", "kind": "redis", "pid": None, "restarts": 3},
        ]
        state.write_text(json.dumps({"components": parts}))
        cpu, memory, restarts = exported(state)
        for child in Path(f"/proc/{busy.pid}/task/{busy.pid}/children").read_text().split():
            subprocess.run(["kill", "-9", child], check=True)
    assert cpu.keys() == memory.keys() == {"worker-0"}
    assert cpu["worker-0"] > 0.1
    assert memory["worker-0"] > 100_000
    assert restarts == {"worker-0": 0, "redis": 3}
    assert (cpu_s(busy.pid), memory_bytes(busy.pid)) == (0.0, 0)


def test_a_page_that_processes_share_counts_once() -> None:
    """Memory that a process shares with its child is divided between them, so that their sum contains it once."""
    with subprocess.Popen(["python3", "-c", HOLD], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        held = memory_bytes(holder.pid)
        for child in Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split():
            subprocess.run(["kill", "-9", child], check=True)
        holder.kill()
    assert 40 * MIB < held < 80 * MIB


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"components": ['])
def test_a_stack_without_a_record_has_no_components(content: str | None, tmp_path: Path) -> None:
    """If the supervisor's record is missing or damaged, a scrape succeeds and has no values."""
    state = tmp_path / "state.json"
    if content is not None:
        state.write_text(content)
    assert exported(state) == ({}, {}, {})
