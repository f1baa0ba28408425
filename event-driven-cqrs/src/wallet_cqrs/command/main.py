"""Builds a command service from its parts, and runs it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wallet_cqrs.command.batch_writer import BatchWriter
from wallet_cqrs.command.event_store import EventStore
from wallet_cqrs.command.payments import Payments
from wallet_cqrs.command.routes import PublicRoutes
from wallet_cqrs.command.settings import CommandSettings
from wallet_cqrs.command.snapshots import SnapshotWriter
from wallet_cqrs.command.wallet_cache import WalletCache
from wallet_kernel.contract.openapi import openapi
from wallet_kernel.contract.operations import mount
from wallet_kernel.contract.requests import Requests
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.listeners import internal_listener, public_listener
from wallet_kernel.runtime.logs import configure_logs
from wallet_kernel.runtime.server import Service, run
from wallet_kernel.runtime.traces import configure_traces

NAME = "command"
TITLE = "Digital wallet: event-driven CQRS"


def main() -> None:
    """Runs a command service until it receives a stop signal."""
    settings = CommandSettings()
    configure_logs(NAME, settings.log_level)
    configure_traces(NAME, settings)
    run(command(settings))


@asynccontextmanager
async def command(settings: CommandSettings) -> AsyncIterator[Service]:
    """Opens the service's resources in order, and closes them in reverse order."""
    async with EventStore(settings.event_store_url.get_secret_value()) as store:
        snapshots = SnapshotWriter(store, settings.snapshot_every)
        writer = BatchWriter(
            store,
            WalletCache(settings.wallets_max),
            snapshots,
            batch_max=settings.batch_max,
            queue_max=settings.queue_max,
        )
        public = PublicRoutes(Requests(frozenset(settings.currencies)), Payments(writer, settings.deadline_s))
        lifecycle = Lifecycle(settings.in_flight_max, {"event-store": store.ping})
        document = openapi(TITLE, settings.currencies, positions=True)
        yield Service(
            lifecycle,
            [
                public_listener(settings, TITLE, mount(public.handlers()), document, lifecycle),
                internal_listener(settings, NAME, lifecycle),
            ],
            settings.drain_timeout_s,
        )
        await writer.drain()
        await snapshots.drain()
