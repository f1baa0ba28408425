"""Shows the current run and the estimated time left."""

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console

from wallet_lab.comparison.plan import PlannedRun, Session, estimate_s
from wallet_lab.comparison.runner import Watcher


class Clock:
    """Corrects the plan's estimates by the ratio of elapsed to estimated time so far."""

    def __init__(self, sessions: list[Session]) -> None:
        """Start the clock."""
        self._total_s = self._left_s = estimate_s(sessions)
        self._began_s = time.monotonic()
        self._current_s = 0.0

    def begin(self, estimate_s: float) -> None:
        """End the current run and begin the next, with its estimate in seconds."""
        self._left_s -= self._current_s
        self._current_s = estimate_s

    @property
    def left_s(self) -> float:
        """Estimated seconds from the start of the current run to the end."""
        done_s = self._total_s - self._left_s
        elapsed_s = time.monotonic() - self._began_s
        return self._left_s * (elapsed_s / done_s if done_s else 1.0)


@contextlib.contextmanager
def progress(console: Console, sessions: list[Session]) -> Iterator[Watcher]:
    """Show one line: updated in place on a terminal, else one line per run."""
    clock = Clock(sessions)
    repeats = max(session.repeat for session in sessions)

    def text(session: Session, planned: PlannedRun | None) -> str:
        clock.begin(planned.estimate_s if planned else session.start_s)
        where = f"{session.architecture}, repeat {session.repeat} of {repeats}"
        return f"{where}: {planned.name if planned else 'starting'} (about {in_words(clock.left_s)} left)"

    if not console.is_terminal:
        yield lambda session, planned: console.print(text(session, planned))
        return
    with console.status("") as line:
        yield lambda session, planned: line.update(text(session, planned))


def in_words(seconds: float) -> str:
    """Write a duration in minutes, or in seconds if it is short."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
