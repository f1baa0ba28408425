"""Wires the target from the parts of the architectures' public services, without the work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wallet_kernel.contract.openapi import openapi
from wallet_kernel.contract.operations import mount
from wallet_kernel.contract.requests import Requests
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.listeners import internal_listener, public_listener
from wallet_kernel.runtime.logs import configure_logs
from wallet_kernel.runtime.server import Service, run
from wallet_kernel.runtime.settings import PublicSettings
from wallet_lab.architectures.noop.service.routes import NoopRoutes

NAME = "noop"
TITLE = "Digital wallet: no-op"


def main() -> None:
    """Run the target until it is terminated."""
    settings = PublicSettings()
    configure_logs(NAME, settings.log_level)
    run(noop(settings))


@asynccontextmanager
async def noop(settings: PublicSettings) -> AsyncIterator[Service]:
    """Yield the target; it has no resources."""
    lifecycle = Lifecycle(settings.in_flight_max, {})
    routes = mount(NoopRoutes(Requests(frozenset(settings.currencies))).handlers())
    listeners = [
        public_listener(settings, TITLE, routes, openapi(TITLE, settings.currencies), lifecycle),
        internal_listener(settings, NAME, lifecycle),
    ]
    yield Service(lifecycle, listeners, settings.drain_timeout_s)
