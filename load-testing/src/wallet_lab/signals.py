"""Handles SIGHUP and SIGTERM like Ctrl-C."""

import contextlib
import signal
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
