"""Alembic's environment: migrates the schema, and then writes or compares the topology."""

from functools import partial

from alembic import context

from wallet_cqrs.migrations.settings import LogMigrationSettings
from wallet_kernel.migrations import ShardMigrationSettings, migrate
from wallet_kernel.topology_table import establish

if context.config.get_main_option("schema") == "events":
    migrate(partial(establish, placement=LogMigrationSettings().topology))
else:
    placement = ShardMigrationSettings().placement
    migrate(partial(establish, placement=placement, wallets="read_model.wallets"))
