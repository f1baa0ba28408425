"""The environment in which Alembic runs the migrations."""

from functools import partial

from wallet_kernel.migrations import ShardMigrationSettings, migrate
from wallet_kernel.topology_table import establish

migrate(partial(establish, placement=ShardMigrationSettings().placement))
