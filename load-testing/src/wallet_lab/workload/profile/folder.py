"""The folder of a profile: raw samples, flame graphs and tables."""

from pathlib import Path

from wallet_lab.errors import LabError
from wallet_lab.report.model import Run
from wallet_lab.workload.profile.flame_graph import flame_graph
from wallet_lab.workload.profile.stacks import Stack, merged, parse
from wallet_lab.workload.profile.tables import Profile, overview, page
from wallet_lab.workload.sampler import kind_of


def prepare(folder: Path) -> None:
    """Create the folder. Raises LabError if that is not possible, or if the folder has files of another profile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise LabError(f"{folder} is not empty. Choose another folder for the profile.")
        (folder / "profile.md").touch()
    except OSError as error:
        raise LabError(f"the profile cannot be written to {folder}: {error.strerror}") from None


def write(folder: Path, run: Run) -> str:
    """Write a flame graph of each component and the page of tables; returns the table of groups with its explanation.

    Raises:
        LabError: a file of samples is damaged.
    """
    title = f"{run.architecture}, {run.scenario}, {run.clients} clients"
    components = {file.stem: _read(file) for file in sorted(folder.glob("*.txt"))}
    for name, samples in components.items():
        (folder / f"{name}.svg").write_text(flame_graph(f"{name} ({title})", samples))
    profiles = [_of_kind(kind, components, run) for kind in sorted(set(map(kind_of, components)))]
    (folder / "profile.md").write_text(page(title, profiles))
    return overview(profiles)


def _read(file: Path) -> dict[Stack, int]:
    try:
        return parse(file.read_text())
    except ValueError as error:
        raise LabError(f"{file} has no samples of py-spy: {error}") from None


def _of_kind(kind: str, components: dict[str, dict[Stack, int]], run: Run) -> Profile:
    samples = merged(found for name, found in components.items() if kind_of(name) == kind)
    cpu = run.server_cpu_ms_per_transfer
    return Profile(kind, samples, cpu.by_component.get(kind, 0.0) * 1000 if cpu else None)
