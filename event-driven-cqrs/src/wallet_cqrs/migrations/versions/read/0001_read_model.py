"""The first schema of a read shard: everything that 0001_read_model.sql creates."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

_SQL = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    """Creates everything. The driver is called directly because the file holds many statements."""
    connection = op.get_bind().connection.dbapi_connection
    assert connection is not None
    connection.run_async(lambda driver: driver.execute(_SQL.read_text()))
