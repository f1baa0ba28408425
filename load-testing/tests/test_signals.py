"""Interrupts are neither lost nor delivered at the wrong moment."""

import os
import signal
import threading
from io import BytesIO
from pathlib import Path

import pytest

from wallet_lab.signals import deferred, interruptible
from wallet_lab.workload import k6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_waits_for_the_end_of_a_deferred_block(number: signal.Signals) -> None:
    """Inside the block nothing is raised; at its end, KeyboardInterrupt is."""
    reached = []

    def interrupted() -> None:
        with interruptible(), deferred():
            os.kill(os.getpid(), number)
            reached.append(number)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reached == [number]


def test_deferred_block_without_a_signal_leaves_the_handlers() -> None:
    """After the block the handlers are those of before it."""
    before = signal.getsignal(signal.SIGINT)
    with deferred():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_ignored_signal_stays_ignored() -> None:
    """A child process inherits an ignored signal as ignored, so the block does not handle it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with deferred():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_may_use_a_deferred_block() -> None:
    """Only the main thread may set handlers; in another thread the block does nothing."""
    reached = []

    def work() -> None:
        with deferred():
            reached.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert reached == [True]


def test_interrupt_during_the_start_of_k6_is_raised_after_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ctrl-C while the process of k6 is created is raised when it exists."""
    started = []

    def interrupted_start(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        started.append(True)

    monkeypatch.setattr("subprocess.Popen", interrupted_start)
    with pytest.raises(KeyboardInterrupt):
        k6._start({}, Path("record"), BytesIO())
    assert started
