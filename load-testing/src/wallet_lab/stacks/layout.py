"""How many shards a stack's data are spread over: the data fix it until they are wiped."""

import re

from wallet_lab.errors import LabError
from wallet_lab.home import StackHome

DEFAULT_SHARDS = 2
_SHARD = re.compile(r"postgres-(?:read-)?(\d+)")


def decide_shards(home: StackHome, asked: int | None) -> int:
    """The number of shards to start with: what was asked for, else what the data have, else the default.

    Raises:
        LabError: the data have another number of shards than was asked for, or it is not certain how many.
    """
    kept = _recorded(home)
    if kept is not None and asked not in {None, kept}:
        raise LabError(
            f"The data of {home.architecture} are spread over {kept} shards and cannot be read with {asked}; "
            f"leave --shards out, or add --fresh to wipe the data and begin with {asked}."
        )
    return asked or kept or DEFAULT_SHARDS


def _recorded(home: StackHome) -> int | None:
    """The number in layout.json; if that is missing or damaged, as many as there are databases."""
    kept, found = home.read("layout").get("shards"), _databases(home)
    if found and found != set(range(max(found) + 1)):
        raise LabError(
            f"the data of {home.architecture} in {home.data()} lack a shard's: restore it, or add --fresh"
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
    """The numbers of the shards whose databases were made."""
    if not home.root.exists():
        return set()
    data = home.data()
    names = [folder.name for folder in data.iterdir() if folder.is_dir()] if data.exists() else []
    return {int(match[1]) for name in names if (match := _SHARD.fullmatch(name))}
