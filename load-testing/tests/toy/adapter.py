"""The adapter of the toy architecture. CONTRIBUTING.md names it as an example."""

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import asyncpg
import duckdb

from wallet_lab.architectures.adapter import Architecture, Backlog, Comparison, Ledger, Plan, Style, Target
from wallet_lab.checker.check import fingerprint_of
from wallet_lab.checker.extraction import add, copy_database, copy_durability, database
from wallet_lab.stack.components import Component, HttpProbe, Stack, Stage, python_module
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.health.backlog import Databases
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.request import Request
from wallet_lab.stack.running import RunningStack
from wallet_lab.stack.servers import postgres
from wallet_lab.stack.servers.postgres import Cluster

DATABASE = "postgres-0"
SEED = """
    WITH opened AS (
        INSERT INTO wallets VALUES ($1, $2, $3, 1, clock_timestamp()) ON CONFLICT DO NOTHING RETURNING *),
    posted AS (
        INSERT INTO postings SELECT account, 1, 'opening', $4, $3, '@external', $3, updated_at FROM opened)
    INSERT INTO transfers SELECT $4, 'opening', '@external', account, $3, $2, NULL, updated_at FROM opened
"""
RELATIONS = {
    "wallets": """
        SELECT 'wallets', 0, account, currency, 'active', balance_micros, NULL, version, pg_temp.us(updated_at),
               NULL, NULL, NULL FROM wallets""",
    "postings": """
        SELECT 0, account, version, kind, transfer_id, amount_micros, NULL, counterparty, balance_micros,
               pg_temp.us(at), NULL FROM postings""",
    "transfers": """
        SELECT 0, id, kind, payer, payee, amount_micros, currency, 'completed', NULL, NULL,
               CASE kind WHEN 'transfer' THEN payer ELSE payee END, key,
               NULL, pg_temp.us(at), pg_temp.us(at), NULL, NULL FROM transfers""",
    "system_accounts": """
        SELECT 'books', 0, CASE counterparty WHEN '@external' THEN '@external' ELSE '@transit' END, currency,
               -sum(amount_micros) FROM postings JOIN wallets USING (account) GROUP BY 3, 4""",
    "topology": "SELECT pg_temp.name(), 0, 1, slot, 0 FROM generate_series(0, 1023) AS slot",
}


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


async def seed(stack: RunningStack, accounts: Sequence[str], balance_micros: int, currency: str) -> None:
    """Open the wallets that do not exist yet."""
    connection = await asyncpg.connect(stack.client_url(DATABASE))
    await connection.executemany(
        SEED, [(account, currency, balance_micros, str(uuid4())) for account in accounts]
    )
    await connection.close()


async def backlog(databases: Databases) -> Backlog:
    """Return an empty backlog, because each transfer ends in its only transaction."""
    await databases.row(DATABASE, "SELECT 1")
    return Backlog(0)


async def relations(evidence: duckdb.DuckDBPyConnection, stack: RunningStack) -> None:
    """Add the books to the evidence of the checker."""
    add(
        evidence, "holders", [("wallets", True, True, False, None, False, "shard currency status updated_us")]
    )
    books = database(stack, DATABASE, 0)
    await copy_database(evidence, books, RELATIONS)
    await copy_durability(evidence, books)
    # The toy stores whole requests instead of their fingerprints.
    evidence.create_function(
        "toy_fingerprint", fingerprint_of, ["VARCHAR", "VARCHAR", "BIGINT", "VARCHAR"], "VARCHAR"
    )
    evidence.execute(
        "UPDATE transfers SET fingerprint = toy_fingerprint(kind, payee, amount_micros, currency) WHERE key IS NOT NULL"
    )


async def beginning(evidence: duckdb.DuckDBPyConnection, stack: RunningStack) -> None:
    """Add only the stored wallets."""
    await copy_database(evidence, database(stack, DATABASE, 0), {"wallets": RELATIONS["wallets"]})


ARCHITECTURE = Architecture(
    name="toy",
    plan=plan,
    services=frozenset({"wallet"}),
    style=Style(label="toy", colour="#009E73", marker="^"),
    comparison=Comparison(start_s=4.0, faults=("kill-wallet",)),
    ledger=Ledger(
        shard="postgres-{}".format,
        seed=seed,
        backlog=backlog,
        reads="fresh",
        relations=relations,
        beginning=beginning,
    ),
    targets=(Target("wallet", "wallet-0", "a service that writes"),),
)
