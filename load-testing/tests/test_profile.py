"""Profiles: collapsed stacks, groups, tables and flame graphs, and py-spy on real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil
import pytest

from wallet_lab.errors import LabError
from wallet_lab.workload.profile import py_spy
from wallet_lab.workload.profile.flame_graph import flame_graph
from wallet_lab.workload.profile.folder import prepare
from wallet_lab.workload.profile.groups import LOOP, POSTGRES, by_group
from wallet_lab.workload.profile.py_spy import sampled, samples_file
from wallet_lab.workload.profile.stacks import Frame, inclusive_samples, merged, parse, self_samples
from wallet_lab.workload.profile.tables import Profile, group_table, page

LOOP_FRAMES = (
    "main (wallet_saga/worker/main.py:28);run (uvloop/__init__.py:92);Runner.run (asyncio/runners.py:118)"
)
APPLY_FRAME = "Store.apply (wallet_saga/worker/store.py:"
COLLAPSED = f"""{LOOP_FRAMES} 4
{LOOP_FRAMES};Store.apply (wallet_saga/worker/store.py:146);Connection._do_execute (asyncpg/connection.py:1930) 2
Store.apply (wallet_saga/worker/store.py:155);Connection._do_execute (asyncpg/connection.py:1930) 1
{LOOP_FRAMES};{APPLY_FRAME}150);{APPLY_FRAME}151);UUID.hex (uuid.py:9) 3
 2
"""
RUN = Frame("Runner.run", "asyncio/runners.py")
APPLY = Frame("Store.apply", "wallet_saga/worker/store.py")
EXECUTE = Frame("Connection._do_execute", "asyncpg/connection.py")
HEX = Frame("UUID.hex", "uuid.py")
BUSY = "def busy():\n    while True: pass\nbusy()"


def test_stacks_are_counted_by_function() -> None:
    """Lines of a function count together, the functions around the loop are left out, and so is an empty stack."""
    assert parse(COLLAPSED) == {
        (RUN,): 4,
        (APPLY, EXECUTE): 3,
        (APPLY, APPLY, HEX): 3,
    }


@pytest.mark.parametrize("text", ["run (main.py:1) many", "run main.py 3", "run (main.py:1);; 3"])
def test_damaged_samples_are_refused(text: str) -> None:
    """A line that is not a stack with a number raises ValueError."""
    with pytest.raises(ValueError, match=r"stack|literal"):
        parse(text)


def test_self_and_inclusive_time_of_a_function() -> None:
    """The running function has the self time; each function of the stack has the inclusive time, once."""
    samples = parse(COLLAPSED)
    assert self_samples(samples) == {RUN: 4, EXECUTE: 3, HEX: 3}
    assert inclusive_samples(samples) == {RUN: 4, APPLY: 6, EXECUTE: 3, HEX: 3}
    assert merged([samples, samples])[(RUN,)] == 8


def test_standard_library_counts_for_its_caller() -> None:
    """A sample belongs to the innermost function with a group; the project's own groups are its modules."""
    assert by_group(parse(COLLAPSED)) == {LOOP: 4, POSTGRES: 3, "wallet_saga.worker.store": 3}


def test_table_has_shares_and_cpu_per_transfer() -> None:
    """Each group has its share of the samples and of the CPU time. Without CPU time, a dash is shown."""
    worker = Profile("worker", parse(COLLAPSED), 200.0)
    idle = Profile("relay", {}, None)
    assert group_table([worker, idle]).splitlines() == [
        "| group | worker % | µs | relay % | µs |",
        "| --- | --- | --- | --- | --- |",
        f"| {LOOP} | 40.0 | 80 |  |  |",
        f"| {POSTGRES} | 30.0 | 60 |  |  |",
        "| wallet_saga.worker.store | 30.0 | 60 |  |  |",
        "| samples | 10 | 200 | 0 | – |",
    ]
    written = page("saga", [worker, idle])
    assert "| 40.0 | `Runner.run` | `asyncio/runners.py` |" in written
    assert "| 60.0 | `Store.apply` | `wallet_saga/worker/store.py` |" in written
    assert "It had no samples." in written


def test_flame_graph_has_a_box_for_each_function() -> None:
    """The SVG is well-formed, escapes names, and each box has a tooltip with the function's share."""
    samples = parse(COLLAPSED.replace("UUID.hex", "<lambda>"))
    titles = [title.text for title in ET.fromstring(flame_graph("a & b", samples)).iterfind(".//{*}title")]  # noqa: S314
    assert titles == [
        "Runner.run (asyncio/runners.py): 4 samples, 40.0 %",
        "Store.apply (wallet_saga/worker/store.py): 6 samples, 60.0 %",
        "Connection._do_execute (asyncpg/connection.py): 3 samples, 30.0 %",
        "Store.apply (wallet_saga/worker/store.py): 3 samples, 30.0 %",
        "<lambda> (uuid.py): 3 samples, 30.0 %",
    ]


def test_flame_graph_without_samples_is_empty() -> None:
    """A component that did not run has a flame graph without boxes."""
    assert "worker-0: 0 samples" in flame_graph("worker-0", {})


def test_folder_with_files_is_refused(tmp_path: Path) -> None:
    """A profile is not written into a folder that has other files, nor below a file."""
    (tmp_path / "other").write_text("")
    with pytest.raises(LabError, match="is not empty"):
        prepare(tmp_path)
    with pytest.raises(LabError, match="cannot be written"):
        prepare(tmp_path / "other" / "profile")


@contextmanager
def running(*argv: str) -> Iterator[int]:
    """Run a program; yields its pid."""
    with subprocess.Popen(argv) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.fixture
def busy() -> Iterator[int]:
    """A Python process that spends its time in one function."""
    with running(sys.executable, "-c", BUSY) as pid:
        deadline_s = time.monotonic() + 30
        while psutil.Process(pid).cpu_times().user < 0.1 and time.monotonic() < deadline_s:
            time.sleep(0.02)
        yield pid


def spies() -> list[psutil.Process]:
    """The py-spy processes of this test."""
    return [child for child in psutil.Process().children() if child.name() == "py-spy"]


@pytest.fixture
def privileged() -> None:
    """Skip a test if this user may not raise the priority of a process."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        pytest.skip("needs the right to raise a priority")
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def test_py_spy_samples_until_the_end_of_the_block(privileged: None, busy: int, tmp_path: Path) -> None:
    """The samples name the function that ran. Afterwards py-spy has ended and the priority is the usual one."""
    with sampled({"busy": busy}, tmp_path):
        assert len(spies()) == 1
        assert os.sched_getscheduler(busy) & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR
        time.sleep(0.5)
    assert spies() == []
    assert os.sched_getscheduler(busy) == os.SCHED_OTHER
    counted = self_samples(parse(samples_file(tmp_path, "busy").read_text()))
    assert [frame.function for frame, _ in counted.most_common(1)] == ["busy"]


def test_interrupt_ends_py_spy(privileged: None, busy: int, tmp_path: Path) -> None:
    """After Ctrl-C during the load, no py-spy is left, and the priority is the usual one."""
    with pytest.raises(KeyboardInterrupt), sampled({"busy": busy}, tmp_path):
        signal.raise_signal(signal.SIGINT)
    assert spies() == []
    assert os.sched_getscheduler(busy) == os.SCHED_OTHER


def test_process_without_python_is_an_error(tmp_path: Path) -> None:
    """If py-spy cannot read a process, the error names the component and py-spy's reason."""
    with (
        running("sleep", "60") as pid,
        pytest.raises(LabError, match="py-spy cannot read the stacks of worker-0: Error: Failed to"),
        sampled({"worker-0": pid}, tmp_path),
    ):
        pytest.fail("the block ran")
    assert spies() == []


def test_missing_right_to_trace_is_an_error(
    busy: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the kernel refuses to trace a service, the error says which rights the lab needs."""
    if os.geteuid():
        pytest.skip("only root has a right that the test can take away")
    without = tmp_path / "py-spy-without-rights"
    without.write_text(f'#!/bin/sh\nexec setpriv --bounding-set=-sys_ptrace {py_spy.PROGRAM} "$@"\n')
    without.chmod(0o755)
    monkeypatch.setattr(py_spy, "PROGRAM", without)
    with (
        pytest.raises(LabError, match=r"of worker-0: permission denied\. .* SYS_PTRACE"),
        sampled({"worker-0": busy}, tmp_path),
    ):
        pytest.fail("the block ran")


def test_missing_right_to_raise_priorities_is_an_error(
    busy: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the kernel refuses a higher priority, the profile would show waits as work, so an error ends it."""
    schedule: Callable[..., None] = os.sched_setscheduler

    def refuse(pid: int, policy: int, param: os.sched_param) -> None:
        if policy != os.SCHED_OTHER:
            raise PermissionError
        schedule(pid, policy, param)

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with pytest.raises(LabError, match="priority cannot be raised"), sampled({"busy": busy}, tmp_path):
        pytest.fail("the block ran")
    assert spies() == []
