"""Shows which component a starting or stopping stack is waiting for."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console

from wallet_lab.stack.supervision.control import Watcher

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def progress(title: str) -> Iterator[Watcher]:
    """Show the current wait: one live line on a terminal, else one line per change."""
    said: list[str] = []

    def say(text: str, show: Callable[[str], object]) -> None:
        if not said or said[-1] != text:
            said.append(text)
            show(text)

    if not console.is_terminal:
        yield lambda state: say(_waiting(title, state), errors.print)
        return
    with console.status(title) as line:
        yield lambda state: say(_waiting(title, state), line.update)


def _waiting(title: str, state: dict[str, Any]) -> str:
    waiting_for = ", ".join(state.get("waiting_for") or [])
    return f"{title}: waiting for {waiting_for}" if waiting_for else title
