"""Runs a baseline's service around its use cases."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from wallet_baselines.routes import PublicRoutes
from wallet_baselines.settings import BaselineSettings
from wallet_baselines.wallets import Wallets
from wallet_kernel.contract.openapi import openapi
from wallet_kernel.contract.operations import mount
from wallet_kernel.contract.requests import Requests
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.listeners import internal_listener, public_listener
from wallet_kernel.runtime.logs import configure_logs
from wallet_kernel.runtime.server import Service, run
from wallet_kernel.topology_table import verify_if_reachable


def serve(name: str, settings: BaselineSettings, open_wallets: Callable[[], Wallets]) -> None:
    """Runs the service until it receives a stop signal. `open_wallets` is called within the event loop."""
    configure_logs(name, settings.log_level)
    run(service(name, settings, open_wallets))


@asynccontextmanager
async def service(
    name: str, settings: BaselineSettings, open_wallets: Callable[[], Wallets]
) -> AsyncIterator[Service]:
    """Opens the databases, yields the service, and closes the databases."""
    async with open_wallets() as wallets:
        for ping in wallets.pings.values():
            await verify_if_reachable(ping)
        title = f"Digital wallet: {name}"
        lifecycle = Lifecycle(settings.in_flight_max, needs_one_of=wallets.pings)
        routes = mount(PublicRoutes(Requests(frozenset(settings.currencies)), wallets).handlers())
        listeners = [
            public_listener(settings, title, routes, openapi(title, settings.currencies), lifecycle),
            internal_listener(settings, name, lifecycle),
        ]
        yield Service(lifecycle, listeners, settings.drain_timeout_s)
