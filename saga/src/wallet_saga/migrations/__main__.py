"""Brings one shard's database to the newest schema; running it again changes nothing."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def main() -> None:
    """Upgrades the database named by WALLET_DATABASE_URL, as the role wallet_owner."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    command.upgrade(config, "head")


if __name__ == "__main__":
    main()
