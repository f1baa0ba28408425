"""Shows the current step and the estimated time left."""

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console

from wallet_lab.comparison.contest import Watch


class Clock:
    """Corrects the plan's estimates by the ratio of elapsed to estimated time so far."""

    def __init__(self, estimate_s: float) -> None:
        """Start the clock, with the estimate for everything."""
        self._total_s = self._left_s = estimate_s
        self._began_s = time.monotonic()
        self._current_s = 0.0

    def begin(self, estimate_s: float) -> None:
        """End the current part and begin the next, with its estimate in seconds."""
        self._left_s = max(0.0, self._left_s - self._current_s)
        self._current_s = estimate_s

    @property
    def left_s(self) -> float:
        """Estimated seconds from the start of the current part to the end."""
        done_s = self._total_s - self._left_s
        elapsed_s = time.monotonic() - self._began_s
        return self._left_s * (elapsed_s / done_s if done_s else 1.0)


@contextlib.contextmanager
def progress(console: Console, estimate_s: float) -> Iterator[Watch]:
    """Show one line: updated in place on a terminal, else one line per part."""
    clock = Clock(estimate_s)

    def text(what: str, part_s: float) -> str:
        clock.begin(part_s)
        return f"{what} (about {in_words(clock.left_s)} left)"

    if not console.is_terminal:
        yield lambda what, part_s: console.print(text(what, part_s), markup=False)
        return
    with console.status("") as line:
        yield lambda what, part_s: line.update(text(what, part_s))


def in_words(seconds: float) -> str:
    """Write a duration in minutes, or in seconds if it is short."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
