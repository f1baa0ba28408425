"""How many shards a stack's data are spread over: the data fix it until they are wiped."""

from wallet_lab.errors import LabError
from wallet_lab.home import StackHome

DEFAULT_SHARDS = 2


def decide_shards(home: StackHome, asked: int | None) -> int:
    """The number of shards to start with: what was asked for, else what the data have, else the default.

    Raises:
        LabError: the data have another number of shards than was asked for.
    """
    kept: int | None = home.read("layout").get("shards")
    if kept is not None and asked not in {None, kept}:
        raise LabError(
            f"The data of {home.architecture} are spread over {kept} shards and cannot be read with {asked}; "
            f"leave --shards out, or add --fresh to wipe the data and begin with {asked}."
        )
    return asked or kept or DEFAULT_SHARDS
