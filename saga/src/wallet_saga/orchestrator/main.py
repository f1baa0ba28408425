"""Wires an orchestrator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from wallet_kernel.contract.openapi import openapi
from wallet_kernel.contract.operations import mount
from wallet_kernel.contract.requests import Requests
from wallet_kernel.redis_client import open_cache
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.listeners import internal_listener, public_listener
from wallet_kernel.runtime.logs import configure_logs
from wallet_kernel.runtime.server import Service, run
from wallet_kernel.runtime.traces import configure_traces
from wallet_kernel.topology import Placement, Topology
from wallet_saga.orchestrator.balance_reader import BalanceReader
from wallet_saga.orchestrator.coordinator import Coordinator
from wallet_saga.orchestrator.payments import Payments
from wallet_saga.orchestrator.recovery import Recovery
from wallet_saga.orchestrator.routes import PublicRoutes
from wallet_saga.orchestrator.settings import OrchestratorSettings
from wallet_saga.orchestrator.shard_client import ShardClient, Shards, open_session

NAME = "orchestrator"
TITLE = "Digital wallet: saga"


def main() -> None:
    """Runs an orchestrator until it receives a stop signal."""
    settings = OrchestratorSettings()
    configure_logs(NAME, settings.log_level)
    configure_traces(NAME, settings)
    run(orchestrator(settings))


@asynccontextmanager
async def orchestrator(settings: OrchestratorSettings) -> AsyncIterator[Service]:
    """Opens the orchestrator's resources, yields its service, and closes the resources in reverse order."""
    redis = open_cache(settings.redis_url.get_secret_value())
    async with open_session(settings.service_secret.get_secret_value()) as session, redis:
        topology = Topology.even(len(settings.worker_urls))
        clients = _clients(settings, session, topology)
        shards = Shards(topology, clients)
        await shards.verify_topology()
        coordinator = Coordinator(shards)
        recovery = Recovery(shards, coordinator, settings.recovery_interval_s, settings.saga_lease_s)
        public = PublicRoutes(
            Requests(frozenset(settings.currencies)),
            Payments(coordinator, settings.deadline_s),
            shards,
            BalanceReader(redis, settings.cache_timeout_s),
        )
        lifecycle = Lifecycle(
            settings.in_flight_max,
            needs={"topology": shards.require_agreement},
            needs_one_of={client.name: client.ping for client in clients},
        )
        document = openapi(TITLE, settings.currencies)
        listeners = [
            public_listener(settings, TITLE, mount(public.handlers()), document, lifecycle),
            internal_listener(settings, NAME, lifecycle),
        ]
        async with recovery.running():
            yield Service(lifecycle, listeners, settings.drain_timeout_s)
        for client in clients:
            await client.drain()


def _clients(
    settings: OrchestratorSettings, session: aiohttp.ClientSession, topology: Topology
) -> list[ShardClient]:
    return [
        ShardClient(
            f"worker-{n}",
            session,
            url,
            Placement(n, topology),
            timeout_s=settings.step_timeout_s,
            batch_max=settings.batch_max,
            queue_max=settings.queue_max,
        )
        for n, url in enumerate(settings.worker_urls)
    ]
