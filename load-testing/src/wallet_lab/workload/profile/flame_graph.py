"""Draws samples as a flame graph: an SVG without scripts, whose tooltips have the exact figures.

Source: Brendan Gregg, "The Flame Graph", CACM 59(6), 2016. A box is a function, on top of its caller. Its width is its
share of the samples. The order of the boxes in a row is alphabetical and has no meaning.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

from wallet_lab.workload.profile import groups
from wallet_lab.workload.profile.stacks import Frame, Stack

WIDTH_PX = 1200
ROW_PX = 17
HEAD_PX = 44
CHARACTER_PX = 6.6
DRAWN_PX_MIN = 0.5
LABELLED_PX_MIN = 25
_OWN_COLOUR = "#f2a65a"
_OTHER_COLOUR = "#d5d5d5"
_COLOURS = {
    groups.LOOP: "#9cc5e8",
    groups.HTTP_SERVER: "#a8d8a0",
    groups.HTTP_CLIENT: "#7fc9b8",
    groups.POSTGRES: "#c3b1e1",
    groups.BROKER: "#e3b7d6",
    groups.REDIS: "#e89a9a",
    groups.CODECS: "#e6dc7a",
    groups.METRICS: "#c9b79c",
    groups.TRACING: "#b8c4c2",
    groups.LOGGING: "#dfc7a9",
}


@dataclass(slots=True)
class _Node:
    samples: int = 0
    called: dict[Frame, "_Node"] = field(default_factory=dict)


def flame_graph(title: str, samples: Mapping[Stack, int]) -> str:
    """Return the SVG. Boxes narrower than half a pixel are left out, with everything above them."""
    root = _tree(samples)
    boxes = list(_boxes(root, (), 0, 0, root.samples))
    height = HEAD_PX + ROW_PX * (1 + max((depth for _, depth, _, _ in boxes), default=0))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {height}" width="{WIDTH_PX}" '
        f'height="{height}" font-family="monospace" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<text x="4" y="16" font-size="14">{escape(title)}: {root.samples} samples</text>\n{_legend()}'
    )
    drawn = (_drawn(stack, depth, start, node, root.samples, height) for stack, depth, start, node in boxes)
    return head + "".join(drawn) + "</svg>\n"


def _tree(samples: Mapping[Stack, int]) -> _Node:
    root = _Node()
    for stack, number in samples.items():
        node = root
        node.samples += number
        for frame in stack:
            node = node.called.setdefault(frame, _Node())
            node.samples += number
    return root


def _boxes(
    node: _Node, stack: Stack, depth: int, start: int, total: int
) -> Iterator[tuple[Stack, int, int, _Node]]:
    """Yield each drawn function's stack, its depth, the samples left of it, and its node."""
    for frame, called in sorted(node.called.items()):
        if called.samples * WIDTH_PX >= DRAWN_PX_MIN * total:
            yield (*stack, frame), depth, start, called
            yield from _boxes(called, (*stack, frame), depth + 1, start, total)
        start += called.samples


def _drawn(stack: Stack, depth: int, start: int, node: _Node, total: int, height: int) -> str:
    x, width = (WIDTH_PX * samples / total for samples in (start, node.samples))
    y = height - ROW_PX * (depth + 1)
    function, file = stack[-1]
    share = f"{node.samples} samples, {100 * node.samples / total:.1f} %"
    place = f'x="{x:.1f}" y="{y}" width="{max(width - 0.3, 0.2):.1f}" height="{ROW_PX - 1}"'
    label = _label(function, width)
    text = f'<text x="{x + 2:.1f}" y="{y + 12}">{escape(label)}</text>' if label else ""
    box = f'<rect {place} fill="{_colour(stack)}"/>{text}'
    return f"<g><title>{escape(f'{function} ({file}): {share}')}</title>{box}</g>\n"


def _label(function: str, width: float) -> str:
    """Return as much of the name as fits."""
    return function[: int((width - 4) / CHARACTER_PX)] if width >= LABELLED_PX_MIN else ""


def _colour(stack: Stack) -> str:
    group = groups.group_of(stack)
    return _OWN_COLOUR if groups.is_own(group) else _COLOURS.get(group, _OTHER_COLOUR)


def _legend() -> str:
    entries = {**_COLOURS, "the project's modules": _OWN_COLOUR}
    drawn, x = "", 4.0
    for name, colour in entries.items():
        drawn += f'<rect x="{x:.0f}" y="24" width="10" height="10" fill="{colour}"/>'
        drawn += f'<text x="{x + 13:.0f}" y="33">{escape(name)}</text>\n'
        x += 26 + CHARACTER_PX * len(name)
    return drawn
