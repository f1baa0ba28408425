"""The service of the toy architecture: opens no wallets, and pays in one transaction of Postgres."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from wallet_kernel.contract import requests
from wallet_kernel.contract.openapi import openapi
from wallet_kernel.contract.operations import mount
from wallet_kernel.contract.requests import Requests
from wallet_kernel.contract.responses import transfer_succeeded
from wallet_kernel.http import Request, Response
from wallet_kernel.ids import new_transaction_id
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.listeners import internal_listener, public_listener
from wallet_kernel.runtime.logs import configure_logs
from wallet_kernel.runtime.server import Service, run
from wallet_kernel.runtime.settings import PublicSettings

SCHEMA = """
    CREATE TABLE IF NOT EXISTS wallets (
        account text PRIMARY KEY, currency text, balance_micros bigint, version bigint, updated_at timestamptz);
    CREATE TABLE IF NOT EXISTS postings (
        account text, version bigint, kind text, transfer_id text, amount_micros bigint, counterparty text,
        balance_micros bigint, at timestamptz, PRIMARY KEY (account, version));
    CREATE TABLE IF NOT EXISTS transfers (
        id text PRIMARY KEY, kind text, payer text, payee text, amount_micros bigint, currency text, key text,
        at timestamptz, UNIQUE (payer, key));
"""
LOCK = "SELECT FROM wallets WHERE account = ANY($1) ORDER BY account FOR UPDATE"
BOOK = "INSERT INTO transfers VALUES ($1, 'transfer', $2, $3, $4, $5, $6, $7)"
MOVE = """
    WITH changed AS (
        UPDATE wallets SET balance_micros = balance_micros + $2, version = version + 1, updated_at = $5
        WHERE account = $1 RETURNING *)
    INSERT INTO postings SELECT account, version, 'transfer', $3, $2, $4, balance_micros, updated_at FROM changed
"""


class Routes:
    """The only operation: a transfer."""

    def __init__(self, parse: Requests, database: asyncpg.Pool) -> None:
        self._parse = parse
        self._database = database

    async def transfer(self, request: Request) -> Response:
        """Handle POST /wallets/balanceTransfer."""
        wanted, key = self._parse.transfer(request), requests.idempotency_key(request)
        payer, payee, micros = wanted.from_account, wanted.to_account, wanted.amount_micros
        transaction_id = new_transaction_id(payer)
        async with self._database.acquire() as connection, connection.transaction():
            await connection.execute(LOCK, [payer, payee])
            now, name = await connection.fetchval("SELECT clock_timestamp()"), str(transaction_id)
            await connection.execute(BOOK, name, payer, payee, micros, wanted.currency, key, now)
            await connection.execute(MOVE, payer, -micros, name, payee, now)
            await connection.execute(MOVE, payee, micros, name, payer, now)
        return transfer_succeeded(transaction_id, replayed=False)


@asynccontextmanager
async def toy(settings: PublicSettings) -> AsyncIterator[Service]:
    """Yield the service, with its tables."""
    lifecycle = Lifecycle(settings.in_flight_max, {})
    async with asyncpg.create_pool(os.environ["WALLET_DATABASE_URL"]) as database:
        await database.execute(SCHEMA)
        routes = mount({"transfer": Routes(Requests(frozenset(settings.currencies)), database).transfer})
        listeners = [
            public_listener(settings, "toy", routes, openapi("toy", settings.currencies), lifecycle),
            internal_listener(settings, "toy", lifecycle),
        ]
        yield Service(lifecycle, listeners, settings.drain_timeout_s)


if __name__ == "__main__":
    configure_logs("toy", "info")
    run(toy(PublicSettings()))
