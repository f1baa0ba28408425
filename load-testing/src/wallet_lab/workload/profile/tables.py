"""Writes the shares of a profile as tables in Markdown."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wallet_lab.workload.profile.groups import LOOP, NAMED, OTHER, by_group
from wallet_lab.workload.profile.stacks import Frame, Stack, inclusive_samples, self_samples

FUNCTIONS = 15
NOTE = (
    "Sampling gives the services a core before all other processes, so batches are smaller and a transfer costs more "
    "CPU than in other runs. Compare the shares with those of other profiles, and no figure with an ordinary run. The "
    "time of C functions counts for the Python function that called them. The event loop itself reads sockets and "
    f'calls the compiled parser of rows from Postgres, so "{LOOP}" includes both.'
)


@dataclass(frozen=True, slots=True)
class Profile:
    """The samples of all components of a kind."""

    kind: str
    samples: Mapping[Stack, int]
    cpu_us_per_transfer: float | None
    """The CPU time of these components in the same run; None if nothing was acknowledged."""

    @property
    def total(self) -> int:
        """The number of samples."""
        return sum(self.samples.values())


def page(title: str, profiles: Sequence[Profile]) -> str:
    """Return the whole page: the groups of all kinds, then the functions of each kind."""
    functions = (f"## {profile.kind}\n\n{_functions(profile)}" for profile in profiles)
    return "\n".join([f"# Profile of {title}\n", overview(profiles), *functions])


def overview(profiles: Sequence[Profile]) -> str:
    """Return the table of groups with its explanation."""
    return f"{NOTE}\n\n{group_table(profiles)}"


def group_table(profiles: Sequence[Profile]) -> str:
    """Return a row for each group, with each kind's share of its samples and the CPU time per transfer."""
    counted = {profile.kind: by_group(profile.samples) for profile in profiles}
    heads = [head for profile in profiles for head in (f"{profile.kind} %", "µs")]
    rows = [[group, *_cells(group, profiles, counted)] for group in _in_order(counted.values())]
    samples = [
        "samples",
        *(cell for profile in profiles for cell in (str(profile.total), _cpu(profile, 1.0))),
    ]
    return _table(["group", *heads], [*rows, samples])


def _in_order(counted: Iterable[Counter[str]]) -> list[str]:
    """Return the groups that have samples: the named ones, then the modules by their samples, then the rest."""
    total: Counter[str] = Counter()
    for each in counted:
        total.update(each)
    modules = [group for group, _ in total.most_common() if group not in {*NAMED, OTHER}]
    return [group for group in (*NAMED, *modules, OTHER) if total[group]]


def _cells(group: str, profiles: Sequence[Profile], counted: Mapping[str, Counter[str]]) -> list[str]:
    cells = []
    for profile in profiles:
        share = counted[profile.kind][group] / profile.total if profile.total else 0.0
        cells += [f"{100 * share:.1f}", _cpu(profile, share)] if share else ["", ""]
    return cells


def _cpu(profile: Profile, share: float) -> str:
    return "–" if profile.cpu_us_per_transfer is None else f"{profile.cpu_us_per_transfer * share:.0f}"


def _functions(profile: Profile) -> str:
    """Return the functions with the most samples, by the time in themselves and with all that they call."""
    if not profile.total:
        return "It had no samples.\n"
    ranked = {"self": self_samples(profile.samples), "inclusive": inclusive_samples(profile.samples)}
    return "\n".join(_ranking(name, counted, profile.total) for name, counted in ranked.items())


def _ranking(name: str, counted: Counter[Frame], total: int) -> str:
    rows = [
        [f"{100 * number / total:.1f}", f"`{frame.function}`", f"`{frame.file}`"]
        for frame, number in counted.most_common(FUNCTIONS)
    ]
    return _table([f"{name} %", "function", "file"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
