"""A read model's own @external and @transit accounts: 0002_system_accounts.sql."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"

_SQL = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    """Adds them. The driver is called directly because the file holds many statements."""
    connection = op.get_bind().connection.dbapi_connection
    assert connection is not None
    connection.run_async(lambda driver: driver.execute(_SQL.read_text()))
