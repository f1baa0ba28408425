"""Makes an architecture of the stack in a folder."""

import importlib.util
from pathlib import Path
from types import ModuleType

from wallet_lab.architectures.adapter import Architecture, Backlog, Comparison, Ledger, Plan, Style, Target
from wallet_lab.architectures.custom.books import ApiBooks
from wallet_lab.architectures.custom.description import Description, Process, read_description
from wallet_lab.architectures.custom.topology import component_of, plan
from wallet_lab.errors import LabError
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.health.backlog import Databases
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.request import Request

_SCENARIOS = (
    *("hot-pair", "uniform-1k", "zipf", "refusals", "bank", "mixed", "reads", "normal", "highload", "open"),
    *("sweep", "consistency"),
)
"""All but the one with 100 000 wallets, which take minutes to open through the API."""


def architecture_of(folder: Path) -> Architecture:
    """Return the architecture that the folder describes. Raises LabError if its description is wrong."""
    folder = folder.resolve()
    found = read_description(folder)

    def planned(request: Request, _: Credentials, data: Path, ports: PortChooser) -> Plan:
        return plan(found, folder, request, data, ports)

    return Architecture(
        name=found.name,
        source=str(folder),
        plan=planned,
        services=frozenset(),
        style=Style(label=found.label or found.name, colour=found.colour, marker="X"),
        comparison=Comparison(
            start_s=4.0,
            scenarios=_SCENARIOS,
            faults=tuple(f"kill-{process.name}" for process in found.process),
            by_default=False,
        ),
        shards=1,
        ledger=_ledger(found, folder),
        targets=tuple(map(_target, found.process)),
        is_baseline=True,
    )


def _target(process: Process) -> Target:
    return Target(process.name, component_of(process.name), process.hits or f"the process {process.name}")


def _ledger(found: Description, folder: Path) -> Ledger:
    api = ApiBooks()
    own = _module(folder / found.books) if found.books else None
    return Ledger(
        shard=_no_database,
        seed=api.seed,
        backlog=_backlog,
        reads=found.reads,
        relations=getattr(own, "relations", api.relations),
        beginning=getattr(own, "beginning", api.beginning),
    )


async def _backlog(_: Databases) -> Backlog:
    """Return an empty backlog. The lab cannot see the work of this stack; the audit waits for pending transfers."""
    return Backlog(0)


def _no_database(number: int) -> str:
    """Return a name that no component has, because the lab does not know where this stack keeps the money."""
    return f"no-database-{number}"


def _module(file: Path) -> ModuleType:
    """Import the user's module that reads the books."""
    spec = importlib.util.spec_from_file_location(f"wallet_books_{file.stem}", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise LabError(f"{file} does not exist or is no Python module. It must read the books.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
