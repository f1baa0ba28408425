"""Migrates one database to the newest schema of the event store or of a read shard. Can be repeated."""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

from wallet_kernel.migrations import option
from wallet_kernel.topology import OtherTopology

_VERSIONS = Path(__file__).with_name("versions")


def main() -> None:
    """Upgrades the database named by WALLET_DATABASE_URL, as the role wallet_owner.

    Exits with a message if the database has another topology than WALLET_SHARDS (and WALLET_SHARD for a read shard).
    """
    known = sorted(path.name for path in _VERSIONS.iterdir() if (path / "__init__.py").exists())
    if len(sys.argv) != 2 or sys.argv[1] not in known:
        raise SystemExit(f"Name the schema: python -m wallet_cqrs.migrations {'|'.join(known)}")
    config = Config()
    config.set_main_option("script_location", option(Path(__file__).parent))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", option(_VERSIONS / sys.argv[1]))
    config.set_main_option("schema", sys.argv[1])
    try:
        command.upgrade(config, "head")
    except OtherTopology as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
