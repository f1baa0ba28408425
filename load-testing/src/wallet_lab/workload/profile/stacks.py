"""Parses py-spy's collapsed stacks and counts them by function."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Frame(NamedTuple):
    """A function on a stack. Its line is left out, so that all lines of a function count together."""

    function: str
    file: str
    """The path from the package on, such as `asyncio/runners.py`; the name of the file for a C function."""


_LOOP_FILE = "asyncio/runners.py"

Stack = tuple[Frame, ...]
"""From the outermost function to the running one."""


def parse(text: str) -> Counter[Stack]:
    """Return the number of samples of each stack. A line is `function (file:line);function (file:line) samples`.

    A line without functions is a sample that py-spy could not read while the process ran. It is left out.

    Raises:
        ValueError: a line has another form.
    """
    samples: Counter[Stack] = Counter()
    for line in text.splitlines():
        stack, _, number = line.rpartition(" ")
        if stack:
            samples[_inside_loop(tuple(map(_frame, stack.split(";"))))] += int(number)
    return samples


def _inside_loop(stack: Stack) -> Stack:
    """Leave out the functions that run the event loop, because all other functions are above them.

    They are also missing in many samples that py-spy read while the process ran.
    """
    outer = max((number for number, frame in enumerate(stack, 1) if frame.file == _LOOP_FILE), default=0)
    return stack[min(outer, len(stack) - 1) :]


def _frame(text: str) -> Frame:
    function, opened, place = text.rpartition(" (")
    if not opened or not place.endswith(")"):
        raise ValueError(f"not a frame of a stack: {text!r}")
    file, colon, line = place[:-1].rpartition(":")
    return Frame(function, file if colon and line.isdigit() else place[:-1])


def merged(parts: Iterable[Mapping[Stack, int]]) -> Counter[Stack]:
    """Return the sum of several processes' samples."""
    total: Counter[Stack] = Counter()
    for part in parts:
        total.update(part)
    return total


def self_samples(samples: Mapping[Stack, int]) -> Counter[Frame]:
    """Return the samples in which each function itself ran."""
    counted: Counter[Frame] = Counter()
    for stack, number in samples.items():
        counted[stack[-1]] += number
    return counted


def inclusive_samples(samples: Mapping[Stack, int]) -> Counter[Frame]:
    """Return the samples in which each function, or a function that it called, ran. Recursion counts once."""
    counted: Counter[Frame] = Counter()
    for stack, number in samples.items():
        for frame in set(stack):
            counted[frame] += number
    return counted
