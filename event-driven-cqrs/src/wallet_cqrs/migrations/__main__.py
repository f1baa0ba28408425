"""Brings one database to the newest schema of the event store or of a read shard; again changes nothing."""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

_VERSIONS = Path(__file__).with_name("versions")


def main() -> None:
    """Upgrades the database named by WALLET_DATABASE_URL, as the role wallet_owner."""
    known = sorted(path.name for path in _VERSIONS.iterdir() if (path / "__init__.py").exists())
    if len(sys.argv) != 2 or sys.argv[1] not in known:
        raise SystemExit(f"say which schema: python -m wallet_cqrs.migrations {'|'.join(known)}")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", str(_VERSIONS / sys.argv[1]))
    command.upgrade(config, "head")


if __name__ == "__main__":
    main()
