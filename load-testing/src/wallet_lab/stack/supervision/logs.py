"""The components' logs: opens them, limits their size, and reads them for the user."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from wallet_lab.stack.files.home import StackHome

SIZE_MAX_BYTES = 16 * 1024 * 1024
TAIL_BYTES = 256 * 1024


def open_log(path: Path) -> IO[bytes]:
    """Open a log to append to; a full log is first moved to another file."""
    trim(path)
    return path.open("ab")


def trim(path: Path) -> None:
    """Move the content of a full log to `<name>.log.1`. Its writer appends, so it continues at offset 0."""
    if path.exists() and path.stat().st_size > SIZE_MAX_BYTES:
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        with path.open("r+b") as log:
            log.truncate(0)


def trim_logs(home: StackHome, components: Iterable[str]) -> None:
    """Trim the full logs of these components. Other files, and those behind symbolic links, are not the lab's."""
    for path in map(home.log, components):
        if not home.logs.is_symlink() and not path.is_symlink():
            trim(path)


def say(text: str) -> None:
    """Write a line to this process's log. A full disk must not stop the work, so the line may be lost."""
    with contextlib.suppress(OSError):
        print(text, flush=True)  # noqa: T201 -- the supervisor's log


def tail(path: Path, lines: int = 20, since: int = 0) -> str:
    """Return the last lines after the first `since` bytes, at most 256 KiB; empty if there are none."""
    return "\n".join(_last_lines(path, lines, since))


def _last_lines(path: Path, count: int, since: int = 0) -> list[str]:
    if not path.exists():
        return []
    with path.open("rb") as log:
        log.seek(max(since, path.stat().st_size - TAIL_BYTES))
        return log.read().decode(errors="replace").splitlines()[-count:]


def read_logs(paths: list[Path], lines: int) -> Iterator[tuple[str, str]]:
    """Return the last lines of each log, as (component, line)."""
    for path in paths:
        yield from ((path.stem, line) for line in _last_lines(path, lines))


def follow(
    paths: list[Path], interval_s: float = 0.2, until: Callable[[], bool] = lambda: False
) -> Iterator[tuple[str, str]]:
    """Yield new lines of the logs as (component, line), from now on."""
    offsets = {path: path.stat().st_size if path.exists() else 0 for path in paths}
    while not until():
        for path in paths:
            yield from ((path.stem, line) for line in _new_lines(path, offsets))
        time.sleep(interval_s)


def _new_lines(path: Path, offsets: dict[Path, int]) -> list[str]:
    size = path.stat().st_size if path.exists() else 0
    start = offsets[path] if offsets[path] <= size else 0  # it was trimmed
    if size == start:
        return []
    with path.open("rb") as log:
        log.seek(start)
        whole = log.read(size - start).rpartition(b"\n")[0]
    offsets[path] = start + len(whole) + 1 if whole else start
    return whole.decode(errors="replace").splitlines()
