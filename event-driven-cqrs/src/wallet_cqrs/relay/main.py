"""Builds a relay from its parts, and runs it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from wallet_cqrs.relay.log_tail import leading
from wallet_cqrs.relay.publisher import connected
from wallet_cqrs.relay.relay import Relay
from wallet_cqrs.relay.settings import RelaySettings
from wallet_cqrs.topology import verify_log
from wallet_kernel.database import connect
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.listeners import internal_listener
from wallet_kernel.runtime.logs import configure_logs
from wallet_kernel.runtime.server import Service, run
from wallet_kernel.runtime.traces import configure_traces
from wallet_kernel.tasks import background
from wallet_kernel.topology_table import verify_if_reachable

NAME = "relay"


def main() -> None:
    """Runs a relay until it receives a stop signal."""
    settings = RelaySettings()
    configure_logs(NAME, settings.log_level)
    configure_traces(NAME, settings)
    run(relay(settings))


@asynccontextmanager
async def relay(settings: RelaySettings) -> AsyncIterator[Service]:
    """Runs the relay's task and its listener."""
    await verify_if_reachable(partial(_compare, settings))
    running = Relay(
        partial(
            leading,
            settings.event_store_url.get_secret_value(),
            settings.takeover_s,
            # The relay does not use its session while it waits for the broker or for new events.
            settings.confirm_timeout_s + settings.heartbeat_s + 5.0,
            verify_log(len(settings.read_urls)),
        ),
        partial(
            connected,
            settings.broker_url.get_secret_value(),
            len(settings.read_urls),
            settings.confirm_timeout_s,
        ),
        group_max=settings.group_max,
        group_interval_s=settings.group_interval_s,
        heartbeat_s=settings.heartbeat_s,
    )
    lifecycle = Lifecycle(settings.in_flight_max, {"relay": running.check})
    async with background(running.run()):  # the next relay publishes unconfirmed events again
        yield Service(lifecycle, [internal_listener(settings, NAME, lifecycle)], settings.drain_timeout_s)


async def _compare(settings: RelaySettings) -> None:
    connection = await connect(settings.event_store_url.get_secret_value())
    try:
        await verify_log(len(settings.read_urls))(connection)
    finally:
        connection.terminate()
