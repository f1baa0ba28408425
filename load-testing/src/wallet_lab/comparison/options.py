"""Reads the options of `./lab compare`. Everything wrong is found before anything starts."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from wallet_lab import architectures
from wallet_lab.architectures.adapter import Architecture
from wallet_lab.comparison.plan import FULL, QUICK, WHAT_THEY_ARE, Choice, Extent
from wallet_lab.errors import LabError
from wallet_lab.nemesis.faults import faults


def choose(
    arch: str | None, scenarios: Sequence[str] | None, faults: Sequence[str] | None, *, can_cut: bool
) -> Choice:
    """Return the user's options. The arguments can be lists with commas.

    Raises:
        LabError: a name is unknown, or a fault is not possible; the text lists the valid names.
    """
    chosen = _architectures(arch)
    return Choice(
        architectures=chosen,
        scenarios=_scenarios(scenarios),
        faults=_faults(chosen, faults, can_cut=can_cut),
        can_cut=can_cut,
    )


def extent(
    *, quick: bool, blocks: int | None, duration: float | None, sustained: float | None, named: bool
) -> Extent:
    """Return the numbers and durations of a comparison. `named`: whether the user named scenarios."""
    chosen = QUICK if quick else FULL
    # A quick comparison has no sustained run unless the user names it or its duration.
    usual_s = FULL.sustained_s if named else chosen.sustained_s
    return replace(
        chosen,
        blocks=blocks or chosen.blocks,
        other_blocks=blocks or chosen.other_blocks,
        load_s=duration or chosen.load_s,
        sustained_s=sustained or usual_s,
    )


def words(values: Iterable[str]) -> tuple[str, ...]:
    """Split values at their commas; each word is returned once."""
    found = [word.strip() for value in values for word in value.split(",")]
    return tuple(dict.fromkeys(word for word in found if word))


def _architectures(arch: str | None) -> tuple[Architecture, ...]:
    if arch is None:
        return architectures.compared()
    chosen = tuple(architectures.find(name) for name in words([arch]))
    if not chosen:
        raise LabError("--arch names no architecture.")
    for one in chosen:
        if one.ledger is None:
            raise LabError(f"{one.name} is the control of every comparison. Leave it out of --arch.")
    return chosen


def _scenarios(values: Sequence[str] | None) -> tuple[str, ...] | None:
    names = words(values or ())
    for name in names:
        if name not in WHAT_THEY_ARE:
            raise LabError(f"there is no scenario '{name}' to compare; there are: {', '.join(WHAT_THEY_ARE)}")
    return names or None


def _faults(
    chosen: Sequence[Architecture], values: Sequence[str] | None, *, can_cut: bool
) -> tuple[str, ...] | None:
    names = words(values or ())
    known = {name: fault for one in chosen for name, fault in faults(one).items()}
    for name in names:
        if name not in known:
            raise LabError(
                f"none of the compared architectures has the fault '{name}'; there are: {', '.join(known)}"
            )
        if known[name].action == "cut" and not can_cut:
            raise LabError(f"{name}: only containers can be disconnected from the network. Add --on docker.")
    return names or None
