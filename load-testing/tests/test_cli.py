"""`./lab` as a user runs it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from wallet_lab.architectures.saga.topology import PUBLIC_PORT
from wallet_lab.stack.files.home import StackHome, signal_supervisor, supervisor_pid

FAKES = Path(__file__).parent / "fakes"

Lab = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[StackHome]:
    """A private home, removed at the end."""
    home = StackHome(tmp_path.resolve(), "saga")
    yield home
    signal_supervisor(home, signal.SIGTERM)
    _wait_until(lambda: supervisor_pid(home) is None)
    home.wipe()


@pytest.fixture
def lab(home: StackHome) -> Lab:
    """Runs one command to its end."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        with launch(home, *arguments) as process:
            output, errors = process.communicate(timeout=90)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    return run


def launch(home: StackHome, *arguments: str) -> "subprocess.Popen[str]":
    """Start one command, with fakes for services."""
    env = {**os.environ, "WALLET_LAB_HOME": str(home.home), "PYTHONPATH": str(FAKES)}
    return subprocess.Popen(
        [sys.executable, "-m", "wallet_lab", *arguments],
        env=env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def status_of(lab: Lab) -> dict[str, Any]:
    """Return the parsed output of `status --json`."""
    found: dict[str, Any] = json.loads(lab("status", "--json").stdout)
    return found


@pytest.mark.slow
def test_up_starts_and_down_stops_every_component(home: StackHome, lab: Lab) -> None:
    """`up` makes every component healthy and `down` stops all processes; a second call of each does no harm."""
    first = lab("up", "saga", "--shards", "1")
    assert first.returncode == 0, first.stderr
    assert "waiting for" in first.stderr
    assert "curl" in first.stdout
    status = status_of(lab)
    assert status["base_url"] in first.stdout
    assert set(status) == {"architecture", "base_url", "components"}
    names = [component["name"] for component in status["components"]]
    assert names == ["postgres-0", "redis", "worker-0", "orchestrator-0"]
    assert all(component["healthy"] for component in status["components"])

    second = lab("up", "saga")
    assert (second.returncode, second.stdout) == (0, f"saga is already up at {status['base_url']}\n")
    for more in (("--monitoring",), ("--orchestrators", "2")):
        asked_for_more = lab("up", "saga", *more)
        assert asked_for_more.returncode == 1
        assert "./lab down saga" in asked_for_more.stderr
    assert status_of(lab)["components"] == status["components"]

    assert lab("logs", "worker-0").returncode == 0
    assert lab("logs", "nobody").returncode == 1
    pids = [component["pid"] for component in status["components"]]
    assert lab("down").returncode == 0
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    again = lab("down", "saga")
    assert (again.returncode, again.stdout) == (0, "saga was not up\n")
    assert lab("status").returncode == 1


@pytest.mark.slow
def test_up_refuses_another_number_of_shards(home: StackHome, lab: Lab) -> None:
    """If the data have one shard, `up` refuses two shards unless --fresh wipes the data."""
    assert lab("up", "saga", "--shards", "1").returncode == 0
    while_up = lab("up", "saga", "--fresh")
    assert while_up.returncode == 1
    assert "./lab down saga" in while_up.stderr
    lab("down")
    refused = lab("up", "saga", "--shards", "2")
    assert refused.returncode == 1
    assert "--fresh" in refused.stderr
    secrets_before = home.secrets.read_text()
    assert lab("up", "saga", "--shards", "2", "--fresh").returncode == 0
    assert len(status_of(lab)["components"]) == 6
    assert home.secrets.read_text() != secrets_before


@pytest.mark.slow
def test_taken_public_port_is_replaced_and_printed(home: StackHome, lab: Lab) -> None:
    """If another server uses the usual port, `up` chooses another port and says so."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", PUBLIC_PORT))
            other.listen()
        except OSError:
            pass  # another server already listens there, so the condition holds
        up = lab("up", "saga", "--shards", "1")
        base_url = status_of(lab)["base_url"]
    assert up.returncode == 0
    assert f"Port {PUBLIC_PORT} is in use" in up.stdout
    assert not base_url.endswith(f":{PUBLIC_PORT}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGINT, "postgres-0"), (signal.SIGTERM, "worker-0"), (signal.SIGKILL, "worker-0")],
)
def test_interrupted_up_leaves_no_process_behind(
    home: StackHome, lab: Lab, number: signal.Signals, moment: str
) -> None:
    """If `up` is interrupted or killed, every process that it started stops."""
    with launch(home, "up", "saga", "--shards", "1") as up:
        _wait_until(lambda: up.poll() is not None or moment in home.read("state").get("waiting_for", []))
        assert up.poll() is None, up.communicate()[0]
        supervisor = supervisor_pid(home)
        assert supervisor is not None
        # On a busy machine the stack could be ready before the signal arrives, so the supervisor is paused until then.
        os.kill(supervisor, signal.SIGSTOP)
        started = psutil.Process(supervisor).children(recursive=True)
        up.send_signal(number)
        os.kill(supervisor, signal.SIGCONT)
        output, _ = up.communicate(timeout=30)
    assert up.returncode == (130 if number != signal.SIGKILL else -signal.SIGKILL), output
    _wait_until(lambda: supervisor_pid(home) is None)
    _wait_until(lambda: not [p for p in started if p.is_running() and p.status() != psutil.STATUS_ZOMBIE])
    assert lab("up", "saga").returncode == 0


@pytest.mark.slow
def test_concurrent_ups_start_one_stack(home: StackHome, lab: Lab) -> None:
    """If two users run `up` at the same time, both get the same URL."""
    with (
        launch(home, "up", "saga", "--shards", "1") as one,
        launch(home, "up", "saga", "--shards", "1") as two,
    ):
        outputs = [process.communicate(timeout=60)[0] for process in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0], outputs
    base_url = status_of(lab)["base_url"]
    assert all(base_url in output for output in outputs)


@pytest.mark.slow
def test_secrets_are_private_and_not_logged(home: StackHome, lab: Lab) -> None:
    """Passwords are readable only by their owner, and appear in no log and on no command line."""
    assert lab("up", "saga", "--shards", "1").returncode == 0
    assert home.secrets.stat().st_mode & 0o777 == 0o600
    words = json.loads(home.secrets.read_text()).values()
    supervisor = supervisor_pid(home)
    assert supervisor is not None
    family = [psutil.Process(supervisor), *psutil.Process(supervisor).children(recursive=True)]
    shown = " ".join(word for process in family for word in process.cmdline())
    shown += "".join(path.read_text() for path in home.logs.iterdir())
    assert not [word for word in words if word in shown]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rebuild",), "cqrs is not up"),
        (("up", "monolith"), "there is no architecture 'monolith'"),
        (("logs", "worker-0"), "there is no log of worker-0"),
        (("chaos", "monolith", "--fault", "kill-worker"), "there is no architecture 'monolith'"),
        (
            ("chaos", "saga", "--fault", "kill-relay"),
            "saga has no fault 'kill-relay'; there are: kill-worker",
        ),
        (("report", "/nowhere"), "/nowhere has no report.json of this version"),
        (("compare", "--out", "/proc"), "the report cannot be written to /proc: "),
    ],
)
def test_error_is_one_sentence(lab: Lab, arguments: tuple[str, ...], said: str) -> None:
    """An error is one readable line without a traceback."""
    finished = lab(*arguments)
    assert finished.returncode == 1
    assert said in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize("text", ["", '{"schema": 1, "ru', '{"schema": 1}'], ids=["empty", "cut off", "old"])
def test_error_of_a_damaged_report_is_one_sentence(lab: Lab, tmp_path: Path, text: str) -> None:
    """If report.json is truncated or of another version, the error is one sentence."""
    (tmp_path / "report.json").write_text(text)
    finished = lab("report", str(tmp_path))
    assert finished.returncode == 1
    assert f"{tmp_path} has no report.json of this version: " in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("bench", "saga", "--duration", "inf"),
        ("bench", "saga", "--duration", "nan"),
        ("bench", "saga", "--scenario", "steady", "--rate", "inf"),
        ("chaos", "saga", "--fault", "kill-worker", "--rate", "inf"),
        ("chaos", "saga", "--fault", "kill-worker", "--rate", "nan"),
    ],
)
def test_infinite_numbers_are_refused(lab: Lab, arguments: tuple[str, ...]) -> None:
    """An infinite duration or rate, or NaN, is refused before a stack starts."""
    finished = lab(*arguments)
    assert finished.returncode == 2
    assert f"Invalid value for '{arguments[-2]}': " in finished.stderr


@pytest.mark.parametrize("place", ["/proc/lab", "/dev/null"])
def test_error_of_an_impossible_home_is_one_sentence(place: str) -> None:
    """If the lab's home cannot be created, or the path is not a folder, the error is one sentence."""
    with launch(StackHome(Path(place), "saga"), "up", "saga") as up:
        _, errors = up.communicate(timeout=30)
    assert up.returncode == 1
    assert f"the lab cannot keep its files in {place}: " in errors
    assert "Traceback" not in errors


def test_status_has_the_same_keys_if_the_stack_is_down(lab: Lab) -> None:
    """`status --json` has the same keys whether the stack is up or not."""
    finished = lab("status", "saga", "--json")
    assert finished.returncode == 1
    assert json.loads(finished.stdout) == {"architecture": "saga", "base_url": None, "components": []}


@pytest.fixture
def both_up(tmp_path: Path) -> Iterator[None]:
    """Two stacks, each with a supervisor, a dead component, and that component's log."""
    for architecture, component in (("saga", "worker-0"), ("cqrs", "query-0")):
        home = StackHome(tmp_path.resolve(), architecture)
        home.prepare()
        for name in (component, "redis"):
            home.log(name).write_text(f"{architecture} wrote this\n")
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDS_LOCKS, str(tmp_path.resolve())],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
        holder.kill()


_HOLDS_LOCKS = """
import os, sys
from pathlib import Path
from wallet_lab.stack.files.home import StackHome, take_lock
from wallet_lab.stack.files.state_files import STATE_VERSION
homes = [StackHome(Path(sys.argv[1]), name) for name in ("saga", "cqrs")]
locks = [take_lock(home) for home in homes]
for home, name in zip(homes, ("worker-0", "query-0")):
    component = {"name": name, "kind": name[:-2], "pid": None, "port": 1}
    state = {"version": STATE_VERSION, "supervisor": os.getpid(), "base_url": None}
    home.write("state", {**state, "components": [component]})
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.usefixtures("both_up")
def test_status_shows_both_stacks_if_both_are_up(lab: Lab) -> None:
    """If both stacks are up, `status` shows both and `logs` selects the one with the component."""
    shown = lab("status")
    assert shown.returncode == 1
    assert "worker-0" in shown.stdout
    assert "query-0" in shown.stdout
    assert "Name one of saga, cqrs" in lab("status", "--json").stderr
    assert json.loads(lab("status", "cqrs", "--json").stdout)["architecture"] == "cqrs"
    assert lab("logs", "query-0").stdout == "cqrs wrote this\n"
    assert lab("logs", "worker-0").stdout == "saga wrote this\n"
    assert "add --arch saga or --arch cqrs" in lab("logs", "redis").stderr
    assert lab("logs", "redis", "--arch", "cqrs").stdout == "cqrs wrote this\n"


@pytest.mark.usefixtures("both_up")
def test_following_a_quiet_log_ends_when_its_reader_ends(home: StackHome) -> None:
    """`./lab logs worker-0 -f | head -1` ends although the log is quiet."""
    with launch(home, "logs", "worker-0", "--follow") as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "saga wrote this\n"
        following.stdout.close()
        try:
            assert following.wait(timeout=10) == 0
        finally:
            following.kill()


def test_interrupt_during_the_import_prints_no_traceback(tmp_path: Path) -> None:
    """If Ctrl-C arrives while `./lab` is importing, it ends with 130 and without a traceback."""
    (tmp_path / "redis.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen(
        [sys.executable, "-m", "wallet_lab", "status"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as loading:
        assert loading.stdout is not None
        loading.stdout.readline()
        loading.send_signal(signal.SIGINT)
        _, errors = loading.communicate(timeout=10)
    assert (loading.returncode, errors) == (130, "")


def test_failed_check_does_not_stop_the_others(tmp_path: Path) -> None:
    """If a check fails, the others still run, each output is printed whole, and the exit code is 1."""
    program = """
import sys
from wallet_lab import checks
checks.RULES = [checks.Check("broken", ("sh", "-c", "echo one; sleep 0.2; echo two; exit 3"))]
checks.tests = lambda fast: [checks.Check(f"sound-{n}", ("echo", f"said by {n}")) for n in range(4)]
sys.exit(checks.run_all(fast=True))
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode == 1
    assert "one\ntwo\n" in finished.stdout
    assert all(f"said by {n}\n" in finished.stdout for n in range(4))
    assert [line.split()[:2] for line in finished.stdout.splitlines()[-5:]] == [
        ["broken", "failed"],
        *([f"sound-{n}", "passed"] for n in range(4)),
    ]


def run_checks(tests: Path) -> "subprocess.CompletedProcess[str]":
    """Run `./lab test` with one check: the tests of a folder."""
    program = f"""
import sys
from wallet_lab import checks
checks.RULES = ()
checks.tests = lambda fast: [checks.Check("some/tests", {("pytest", "-c", "/dev/null", str(tests))!r})]
sys.exit(checks.run_all(fast=True))
"""
    argv = [sys.executable, "-c", program]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


COUNTED = """
from pathlib import Path
FOLDER = Path(__file__).parent

def runs_of(name):
    with (FOLDER / name).open("a+") as file:
        file.write("x")
        file.seek(0)
        return len(file.read())

def test_busy():
    assert runs_of("busy") > {failures}

def test_sound():
    runs_of("sound")
"""


@pytest.mark.parametrize("failures", [1, 2])
def test_failed_test_is_repeated_alone_and_reported(tmp_path: Path, failures: int) -> None:
    """A failed test runs once more. If it passes then, the summary names it; if it fails again, the check failed."""
    (tmp_path / "test_once.py").write_text(COUNTED.format(failures=failures))
    finished = run_checks(tmp_path)
    assert finished.returncode == failures - 1, finished.stdout
    assert ((tmp_path / "sound").read_text(), (tmp_path / "busy").read_text()) == ("x", "xx")
    assert ("failed once, passed alone: test_once.py::test_busy" in finished.stdout) == (failures == 1)


def test_nothing_is_repeated_if_some_tests_did_not_run(tmp_path: Path) -> None:
    """If pytest ends before it has run all tests, the check failed, also if the failed test would pass now."""
    (tmp_path / "test_once.py").write_text(COUNTED.format(failures=1) + "    raise KeyboardInterrupt\n")
    finished = run_checks(tmp_path)
    assert finished.returncode == 1, finished.stdout
    assert (tmp_path / "busy").read_text() == "x"


def test_many_failed_tests_are_not_repeated(tmp_path: Path) -> None:
    """If more than five tests of a check fail, none of them is repeated."""
    tests = "".join(f"def test_{number}():\n    assert False\n" for number in range(6))
    (tmp_path / "test_broken.py").write_text(tests)
    finished = run_checks(tmp_path)
    assert finished.returncode == 1
    assert finished.stdout.count("6 failed") == 1
    assert "alone" not in finished.stdout


def test_temporary_files_of_the_checks_are_removed_at_the_end(tmp_path: Path) -> None:
    """All checks keep their temporary files in one folder, which is removed at the end."""
    program = """
from wallet_lab import checks
checks.RULES = [checks.Check(name, ("mktemp",)) for name in ("one", "other")]
checks.tests = lambda fast: []
checks.run_all(fast=True)
"""
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    finished = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    files = [Path(line) for line in finished.stdout.splitlines() if line.startswith(f"{tmp_path}/")]
    assert [file.parents[1] for file in files] == [tmp_path, tmp_path], finished
    assert list(tmp_path.iterdir()) == []


def test_interrupted_test_run_starts_no_further_check(tmp_path: Path) -> None:
    """If Ctrl-C arrives, checks that have not started do not run."""
    begun = tmp_path / "begun"
    program = f"""
from wallet_lab import checks
checks.AT_ONCE = 1
checks.RULES = (checks.Check("first", ("sh", "-c", "kill -INT $PPID; exec sleep 1")),)
checks.tests = lambda fast: [checks.Check("second", ("touch", {str(begun)!r}))]
checks.run_all(fast=True)
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30, check=False)
    assert finished.returncode == -signal.SIGINT
    assert not begun.exists()
