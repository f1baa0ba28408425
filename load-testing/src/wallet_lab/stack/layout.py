"""The number of shards of a stack. It cannot change until the data are wiped."""

from wallet_lab import architectures
from wallet_lab.errors import LabError
from wallet_lab.stack.files.folder_markers import is_new
from wallet_lab.stack.files.home import StackHome

DEFAULT_SHARDS = 2
SHARDS_MAX = 64


def decide_shards(home: StackHome, asked: int | None, *, fresh: bool = False) -> int:
    """Return the number of shards to start: the requested number, else that of the data, else the default.

    `fresh` means that the data will be deleted.

    Raises:
        LabError: the data have another number of shards than requested, or the number is not certain.
    """
    only = architectures.find(home.architecture).shards
    if only is not None and asked not in {None, only}:
        raise LabError(f"The data of {home.architecture} are always in {only} shard; leave --shards out.")
    kept = None if fresh else _recorded(home)
    if kept is not None and asked not in {None, kept}:
        raise LabError(
            f"The data of {home.architecture} are spread over {kept} shards and cannot be read with {asked}; "
            f"leave --shards out, or add --fresh to delete the data and start with {asked}."
        )
    return asked or kept or only or DEFAULT_SHARDS


def _recorded(home: StackHome) -> int | None:
    """Return the number in layout.json; if that is missing or damaged, the number of databases."""
    kept, found = home.read("layout").get("shards"), _databases(home)
    if found and found != set(range(max(found) + 1)):
        raise LabError(
            f"the data of {home.architecture} in {home.data()} lack a shard: restore it, or add --fresh"
        )
    if not isinstance(kept, int) or kept < 1:
        return len(found) or None
    if len(found) > kept:
        raise LabError(
            f"{home.root / 'layout.json'} says {kept} shards, but {home.data()} has {len(found)}: "
            "correct the file, or add --fresh"
        )
    return kept


def _databases(home: StackHome) -> set[int]:
    """Return the numbers of the shards that have a database."""
    if is_new(home.root):
        return set()
    data = home.data()
    ledger = architectures.find(home.architecture).ledger
    return {n for n in range(SHARDS_MAX) if ledger and (data / ledger.shard(n)).is_dir()}
