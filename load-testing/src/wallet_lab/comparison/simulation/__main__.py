"""`python -m wallet_lab.comparison.simulation` prints the tables of docs/method.md; takes minutes."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Annotated

import typer

from wallet_lab.comparison.simulation.errors import Errors, errors
from wallet_lab.comparison.simulation.machine import FIGURES, REALISTIC, WORLDS, Noise
from wallet_lab.comparison.simulation.report import RECOVERY, Extent
from wallet_lab.statistics.differences import BAND
from wallet_lab.statistics.summaries import proportion

NO_DIFFERENCE = (1.0, 1.0, 1.0)
EDGE = (BAND, 1 / BAND, BAND)
SOME = (1.0, 1.1, 1.2, 2.0)
"""Of four contests, one has no true difference; the others have 10 %, 20 % and a factor of two."""
BLOCKS = (3, 6, 10, 20)
WITHOUT_FAULTS = Extent(injections=0)
"""For the edges of the band, because ten injections can never show an equality."""


def main(
    reports: Annotated[int, typer.Option(min=1, help="Number of reports of each kind.")] = 500,
) -> None:
    """Simulate reports under every kind of noise and print their errors as tables."""
    with ProcessPoolExecutor() as workers:
        nothing = [workers.submit(errors, noise, NO_DIFFERENCE, Extent(), reports) for noise in WORLDS]
        edges = [workers.submit(errors, noise, EDGE, WITHOUT_FAULTS, reports) for noise in WORLDS]
        power = [
            workers.submit(errors, REALISTIC, SOME, Extent(blocks=blocks), max(reports // 5, 1))
            for blocks in BLOCKS
        ]
        _print_errors(WORLDS, [each.result() for each in nothing], [each.result() for each in edges], reports)
        _print_power([each.result() for each in power])


def _print_errors(
    worlds: Sequence[Noise], nothing: Sequence[Errors], edges: Sequence[Errors], reports: int
) -> None:
    _row(
        "noise",
        "false difference",
        "false A/A",
        "false equality",
        "coverage",
        "of recovery",
        "repeated",
        "moved",
    )
    _row(*["---"] * 8)
    for noise, found, edge in zip(worlds, nothing, edges, strict=True):
        _row(
            noise.name,
            *(_with_interval(each, reports) for each in (found.false_difference, found.false_again)),
            _with_interval(edge.false_equality, reports),
            *(f"{100 * each:.1f} %" for each in (found.coverage, found.coverage_of_recovery)),
            *(f"{100 * each:.1f} %" for each in (found.repeated, found.moved)),
        )
    typer.echo()


def _with_interval(share: float, reports: int) -> str:
    found = proportion(round(share * reports), reports)
    return f"{100 * share:.1f} % ({100 * found.low:.1f}–{100 * found.high:.1f})" if found else ""


def _print_power(found: Sequence[Errors]) -> None:
    _row("figure", "true ratio", "true verdict", *(f"{blocks} blocks" for blocks in BLOCKS))
    _row(*["---"] * (3 + len(BLOCKS)))
    for figure in (*(each.name for each in FIGURES), RECOVERY):
        for ratio in SOME:
            shares = (f"{100 * each.shown[figure, ratio]:.0f} %" for each in found)
            _row(figure, f"{ratio:.2f}", "ahead" if ratio > 1 else "equal", *shares)


def _row(*texts: str) -> None:
    typer.echo(f"| {' | '.join(texts)} |")


if __name__ == "__main__":
    typer.run(main)
