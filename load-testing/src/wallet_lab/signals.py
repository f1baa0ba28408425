"""Handles SIGHUP and SIGTERM like Ctrl-C, and loses none of the three."""

import contextlib
import signal
import threading
from collections.abc import Iterator

INTERRUPTED = 130
"""The exit code of an interrupted command."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Inside, a closed terminal (SIGHUP) and SIGTERM raise KeyboardInterrupt, as Ctrl-C does."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Inside, a signal that has a handler waits until the block has ended. Other threads are not affected.

    Use it to start a process with `preexec_fn`. Python then calls functions before and after the fork, and ignores an
    exception in them (`os.register_at_fork`), so an interrupt at that moment would be lost.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: handler for number in numbers if callable(handler := signal.getsignal(number))}
    for number in handlers:
        signal.signal(number, lambda caught, _: received.append(caught))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for caught in received:
            signal.raise_signal(caught)
