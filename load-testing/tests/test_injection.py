"""Injections into a running load: errors are reported, and the next one waits until clients are served as usual."""

import json
from pathlib import Path
from typing import cast

import pytest

from wallet_lab.architectures.saga.adapter import ARCHITECTURE
from wallet_lab.errors import LabError
from wallet_lab.nemesis import injection
from wallet_lab.nemesis.faults import faults, find, possible
from wallet_lab.nemesis.injection import injecting
from wallet_lab.nemesis.normality import Clients
from wallet_lab.stack.running import RunningStack


class NothingToBreak:
    """A stack without databases whose components are all down."""

    architecture = "saga"
    shards = 0
    adapter = ARCHITECTURE
    pids: dict[str, int] = {}  # noqa: RUF012 -- never changed

    def kill(self, name: str, _: int) -> int:
        """Raise the error of a running stack."""
        raise LabError(f"{name} is down already")


@pytest.mark.parametrize("fault", ["kill-worker", "pause-worker"])
def test_failed_injection_raises_its_error(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the fault cannot be injected, the load may end, and the block raises the error of the fault's thread."""
    monkeypatch.setattr(injection, "BEFORE_S", 0.1)
    log = tmp_path / "calls.log"
    log.write_text("clock\t1\ncall …\n")
    stack = cast("RunningStack", NothingToBreak())
    with (
        pytest.raises(LabError, match=f"{fault} could not be injected"),
        injecting(stack, find(ARCHITECTURE, fault), log, 1) as seen,
    ):
        assert seen.finished.wait(10)


def test_failed_load_raises_its_own_error(tmp_path: Path) -> None:
    """If the load fails in the block, its error is raised, not that of the missing fault."""
    stack = cast("RunningStack", NothingToBreak())
    with (
        pytest.raises(LabError, match="k6 failed"),
        injecting(stack, find(ARCHITECTURE, "kill-worker"), tmp_path / "none", 1) as seen,
    ):
        raise LabError("k6 failed")
    assert seen.at == []


def line(operation: str = "transfer", outcome: str = "success", position: int | None = None) -> str:
    """Return a line of the record: a transfer from a to b, or a read of b."""
    answered = json.dumps({"position": position} if position else {})
    sent = '{"fromAccount":"a","toAccount":"b"}' if operation == "transfer" else ""
    path = "/wallets/b/balance"
    return f"call\t1\tfault\t{operation}\t1\t2\t1\t200\t{outcome}\t\t\t\t{path}\t{sent}\t{answered}"


def served(*lines: str, from_s: float, clients: Clients | None = None) -> Clients:
    """Return clients that got these answers, repeated at a hundred per second, for a second."""
    clients = clients or Clients(("fault",))
    for n in range(100):
        clients.note(lines[n % len(lines)], from_s + n / 100)
    return clients


def usual_clients(*lines: str) -> Clients:
    """Return clients that were served normally for four seconds."""
    clients = Clients(("fault",))
    for from_s in range(4):
        served(*(lines or (line(),)), from_s=from_s, clients=clients)
    clients.set_usual(4.0)
    return clients


def test_clients_are_normal_with_the_usual_successes() -> None:
    """Clients are served normally if successes are as frequent as usual and nothing fails; other parts do not count."""
    clients = usual_clients()
    assert clients.is_normal(4.0)
    assert not clients.is_normal(4.5)
    assert served(line(), line().replace("fault", "bank"), from_s=0).is_normal(1.0)


def test_clients_are_not_normal_until_a_second_after_a_failure() -> None:
    """One failed call delays the next injection until it is more than a second ago."""
    clients = usual_clients()
    clients.note(line(outcome="unknown:timeout"), 4.0)
    served(line(), from_s=4.0, clients=clients)
    assert not clients.is_normal(4.99)
    served(line(), from_s=5.0, clients=clients)
    assert clients.is_normal(5.99)


def test_clients_are_not_normal_while_one_kind_of_call_has_no_answers() -> None:
    """If only reads wait, transfers at the usual rate are not enough."""
    clients = usual_clients(line(), line("balance"))
    assert clients.is_normal(4.0)
    served(line(), from_s=4.0, clients=clients)
    assert not clients.is_normal(5.0)


def test_clients_are_not_normal_while_reads_are_stale() -> None:
    """A read that is behind a write of 0.3 s ago is not normal; a read that is behind a newer write is."""
    clients = Clients(("fault",))
    clients.note(line(position=7), 0.0)
    clients.note(line("balance", position=6), 0.2)
    assert clients.is_normal(0.2)
    clients.note(line("balance", position=7), 0.5)
    assert clients.is_normal(0.5)
    clients.note(line("balance", position=6), 0.5)
    assert not clients.is_normal(0.5)


def test_faults_of_an_architecture_are_every_action_on_every_target() -> None:
    """Every target can be killed, paused and cut off, and all components can be killed together."""
    names = set(faults(ARCHITECTURE))
    assert names == {
        *(
            f"{action}-{target.name}"
            for action in ("kill", "pause", "cut")
            for target in ARCHITECTURE.targets
        ),
        "kill-all",
    }
    native = {fault.name for fault in possible(ARCHITECTURE, on_containers=False)}
    assert native == {name for name in names if not name.startswith("cut-")}
