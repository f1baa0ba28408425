"""Stacks whose services run a changed copy of their sources."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from wallet_lab.stack.backends.native import running_stack
from wallet_lab.stack.files.home import checkout
from wallet_lab.stack.running import RunningStack

SOURCES = {
    "saga": ("kernel/src", "saga/src"),
    "cqrs": ("kernel/src", "event-driven-cqrs/src"),
    **dict.fromkeys(("acid", "acid-batched", "two-phase"), ("kernel/src", "baselines/src")),
}

UNFINISHED = shutil.ignore_patterns("*.pyc.*")
"""Byte code that another process is writing. The copy gets the rest, because compiling takes each service a second."""

Change = Mapping[str, str]
"""In `file`, the snippet `replace`, which occurs once, becomes `by`."""


@contextmanager
def stack_with(changes: Iterable[Change], architecture: str, target: Path) -> Iterator[RunningStack]:
    """A stack of two shards whose sources, copied to `target`, have these changes."""
    for source in SOURCES[architecture]:
        shutil.copytree(checkout() / source, target / source, ignore=UNFINISHED)
    for change in changes:
        _apply(change, target)
    path = os.pathsep.join(os.fspath(target / source) for source in SOURCES[architecture])
    with running_stack(architecture, extra_env={"*": {"PYTHONPATH": path}}) as stack:
        yield stack
        stack.discard()


def _apply(change: Change, target: Path) -> None:
    file = target / change["file"]
    text = file.read_text()
    found = text.count(change["replace"])
    assert found == 1, f"adapt the bug to the code: the snippet occurs {found} times:\n{change['replace']}"
    file.write_text(text.replace(change["replace"], change["by"]))
    # Python recognises changed sources by their size and the second of their change, which both may be the same.
    for byte_code in file.parent.glob(f"__pycache__/{file.stem}.*"):
        byte_code.unlink()
