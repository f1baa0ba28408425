"""Migrates one database to the newest schema and writes its topology. Running it again changes nothing."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from wallet_kernel.migrations import option
from wallet_kernel.topology import OtherTopology


def main() -> None:
    """Upgrades the database named by WALLET_DATABASE_URL, as the role wallet_owner.

    Exits with a message of one sentence if WALLET_SHARD or WALLET_SHARDS differs from the database's topology.
    """
    config = Config()
    config.set_main_option("script_location", option(Path(__file__).parent))
    try:
        command.upgrade(config, "head")
    except OtherTopology as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
