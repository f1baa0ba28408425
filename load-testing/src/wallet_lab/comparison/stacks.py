"""Starts all stacks of a comparison together, and stops them together."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field

from wallet_lab.errors import LabError
from wallet_lab.stack.running import RunningStack

FreshStack = Callable[[str], AbstractContextManager[RunningStack]]
"""Starts a stack of this architecture for this caller alone."""


@dataclass(slots=True)
class Stacks:
    """The stacks that are up, and the reasons why others are not."""

    up: dict[str, RunningStack] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> RunningStack:
        """Return a running stack. Raises LabError with the reason if it did not start."""
        if name not in self.up:
            raise LabError(f"{name} did not start: {self.missing.get(name, 'it was not planned')}")
        return self.up[name]


@contextlib.contextmanager
def running_stacks(
    names: Iterable[str], fresh_stack: FreshStack, watch: Callable[[str], None]
) -> Iterator[Stacks]:
    """Run all stacks, one started after the other. Each is stopped and wiped in every case.

    A stack that does not start becomes a missing one, so that the others can be compared.
    """
    stacks = Stacks()
    with ExitStack() as exits:
        for name in names:
            watch(name)
            try:
                stacks.up[name] = exits.enter_context(fresh_stack(name))
            except (LabError, OSError) as error:
                stacks.missing[name] = str(error)
        yield stacks
