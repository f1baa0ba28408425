"""The adapter of the toy architecture. CONTRIBUTING.md names it as an example."""

from collections.abc import Sequence
from pathlib import Path

import asyncpg

from wallet_lab.architectures.adapter import Architecture, Backlog, Comparison, Ledger, Plan, Style, Target
from wallet_lab.audit.questions import check
from wallet_lab.audit.told import Booked
from wallet_lab.report.model import Check
from wallet_lab.stack.backlog import Databases
from wallet_lab.stack.components import Component, HttpProbe, Stack, Stage, python_module
from wallet_lab.stack.credentials import Credentials
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.request import Request
from wallet_lab.stack.running import RunningStack
from wallet_lab.stack.servers import postgres
from wallet_lab.stack.servers.postgres import Cluster

DATABASE = "postgres-0"


def plan(_request: Request, credentials: Credentials, data: Path, ports: PortChooser) -> Plan:
    """Choose the ports of the database and of the service."""
    cluster = Cluster(DATABASE, "shard_0", data / DATABASE, ports.choose(5490), credentials)
    port, public_port = ports.choose(3490), ports.choose(3003)
    service = Component(
        name="wallet-0",
        kind="wallet",
        argv=python_module("wallet_lab.architectures.toy.service"),
        env={
            "WALLET_HOST": "127.0.0.1",
            "WALLET_PORT": str(port),
            "WALLET_PUBLIC_HOST": "127.0.0.1",
            "WALLET_PUBLIC_PORT": str(public_port),
            "WALLET_SERVICE_SECRET": credentials.service_secret,
            "WALLET_DATABASE_URL": cluster.owner_url,
        },
        port=port,
        url=f"http://127.0.0.1:{port}",
        probe=HttpProbe(port),
        public_port=public_port,
    )
    stages = (Stage((postgres.server(cluster, 0),)), Stage((service,)))
    return Plan(stack=Stack("toy", f"http://127.0.0.1:{public_port}", stages), clusters=(cluster,))


async def seed(stack: RunningStack, accounts: Sequence[str], balance_micros: int, _currency: str) -> None:
    """Open the wallets that do not exist yet."""
    connection = await asyncpg.connect(stack.client_url(DATABASE))
    await connection.executemany(
        "INSERT INTO wallets VALUES ($1, $2, $2) ON CONFLICT DO NOTHING",
        [(account, balance_micros) for account in accounts],
    )
    await connection.close()


async def backlog(databases: Databases) -> Backlog:
    """Return an empty backlog, because each transfer ends in its only transaction."""
    await databases.row(DATABASE, "SELECT 1")
    return Backlog(0)


async def audit(stack: RunningStack) -> list[Check]:
    """Check that transfers neither create nor destroy money."""
    connection = await asyncpg.connect(stack.client_url(DATABASE))
    change = await connection.fetchval("SELECT sum(balance_micros) - sum(opened_micros) FROM wallets")
    await connection.close()
    return [check("money is conserved", [f"{change} micros appeared"] if change else [])]


async def booked(stack: RunningStack, prefix: str) -> list[Booked]:
    """Return the transfers whose idempotency keys begin with `prefix`."""
    connection = await asyncpg.connect(stack.client_url(DATABASE))
    rows = await connection.fetch(
        "SELECT key, id, true, amount_micros FROM transfers WHERE starts_with(key, $1)", prefix
    )
    await connection.close()
    return [Booked(*row) for row in rows]


ARCHITECTURE = Architecture(
    name="toy",
    plan=plan,
    services=frozenset({"wallet"}),
    style=Style(label="toy", colour="#009E73", marker="^"),
    comparison=Comparison(start_s=4.0, faults=("kill-wallet",)),
    ledger=Ledger(shard="postgres-{}".format, seed=seed, backlog=backlog, audit=audit, booked=booked),
    targets=(Target("wallet", "wallet-0", "a service that writes", faces_clients=True),),
)
