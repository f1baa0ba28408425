"""Reads the books of a user's stack through its API, because the lab does not know its databases."""

from collections.abc import Sequence
from importlib.resources import files

import duckdb

from wallet_lab.architectures.custom.api import Api, Row
from wallet_lab.checker.check import fingerprint_of
from wallet_lab.checker.evidence import insert
from wallet_lab.checker.schema import Column, Relation
from wallet_lab.stack.running import RunningStack

_FOUND_ROUNDS_MAX = 3
"""A statement may name a wallet that no call named, and that wallet's statement another one."""

_RELATIONS = (files("wallet_lab.architectures.custom") / "books.sql").read_text()
_TOUCHED = """
    SELECT DISTINCT unnest([account, counterparty]) AS account FROM calls
"""
_WALLETS = Relation(
    "api_wallets",
    "The wallets as GET …/balance answers.",
    (
        Column("account", "VARCHAR", ""),
        Column("currency", "VARCHAR", ""),
        Column("status", "VARCHAR", ""),
        Column("balance_micros", "BIGINT", ""),
        Column("version", "BIGINT", ""),
        Column("updated_us", "BIGINT", ""),
    ),
)
_ITEMS = Relation(
    "api_items",
    "The items of all statements.",
    (
        Column("account", "VARCHAR", ""),
        Column("transaction_id", "VARCHAR", ""),
        Column("kind", "VARCHAR", ""),
        Column("amount_micros", "BIGINT", ""),
        Column("balance_micros", "BIGINT", ""),
        Column("version", "BIGINT", ""),
        Column("counterparty", "VARCHAR", ""),
        Column("at_us", "BIGINT", ""),
    ),
)
_TRANSFERS = Relation(
    "api_transfers",
    "The looked-up transfers: those that the statements do not show on both sides.",
    (
        Column("transaction_id", "VARCHAR", ""),
        Column("status", "VARCHAR", ""),
        Column("payer", "VARCHAR", ""),
        Column("payee", "VARCHAR", ""),
        Column("amount_micros", "BIGINT", ""),
        Column("currency", "VARCHAR", ""),
        Column("reason", "VARCHAR", "", nullable=True),
        Column("started_us", "BIGINT", ""),
        Column("ended_us", "BIGINT", ""),
    ),
)
_TO_LOOK_UP = """
    WITH sides AS (
        SELECT transaction_id, bool_or(kind <> 'transfer') OR count(DISTINCT sign(amount_micros)) = 2 AS is_whole
        FROM api_items WHERE kind <> 'refund' GROUP BY transaction_id
    ), named AS (
        SELECT transaction_id FROM sides UNION SELECT transaction_id FROM calls WHERE transaction_id IS NOT NULL
    )
    SELECT transaction_id FROM named LEFT JOIN sides USING (transaction_id)
    WHERE NOT coalesce(is_whole, false)
       OR transaction_id IN (SELECT transaction_id FROM api_items WHERE kind = 'refund')
"""


class ApiBooks:
    """Reads what the API of a stack shows. It remembers the wallets that it opened, because the API lists none."""

    def __init__(self) -> None:
        self._opened: set[str] = set()

    async def seed(
        self, stack: RunningStack, accounts: Sequence[str], balance_micros: int, currency: str
    ) -> None:
        """Open the wallets that do not exist yet."""
        with Api.opened(stack.direct) as api:
            await api.of_each(accounts, lambda account: api.open_wallet(account, balance_micros, currency))
        self._opened.update(accounts)

    async def beginning(self, evidence: duckdb.DuckDBPyConnection, stack: RunningStack) -> None:
        """Add the wallets that the lab has opened or that calls name."""
        with Api.opened(stack.direct) as api:
            await _read_wallets(api, evidence, self._opened | _touched(evidence))
        evidence.execute(
            "INSERT INTO wallets BY NAME SELECT 'api' AS holder, account, currency, status, balance_micros, version, "
            "updated_us FROM api_wallets"
        )

    async def relations(self, evidence: duckdb.DuckDBPyConnection, stack: RunningStack) -> None:
        """Add wallets, postings and transfers. Waits for pending transfers."""
        with Api.opened(stack.direct) as api:
            await _read_statements(api, evidence, self._opened | _touched(evidence))
            ids = [found for (found,) in evidence.execute(_TO_LOOK_UP).fetchall()]
            looked_up = await api.of_each(ids, api.ended_transfer)
        _create(evidence, _TRANSFERS, [row for row in looked_up if row is not None])
        evidence.create_function(
            "api_fingerprint", fingerprint_of, ["VARCHAR", "VARCHAR", "BIGINT", "VARCHAR"], "VARCHAR"
        )
        evidence.execute(_RELATIONS)


def _touched(evidence: duckdb.DuckDBPyConnection) -> set[str]:
    return {account for (account,) in evidence.execute(_TOUCHED).fetchall() if _is_wallet(account)}


def _is_wallet(account: str | None) -> bool:
    return bool(account) and not str(account).startswith("@")


async def _read_wallets(api: Api, evidence: duckdb.DuckDBPyConnection, accounts: set[str]) -> None:
    wanted = sorted(accounts)
    found = await api.of_each(wanted, api.wallet)
    _create(
        evidence,
        _WALLETS,
        [(account, *row) for account, row in zip(wanted, found, strict=True) if row is not None],
    )


async def _read_statements(api: Api, evidence: duckdb.DuckDBPyConnection, accounts: set[str]) -> None:
    known: set[str] = set()
    rows: list[Row] = []
    new = accounts
    for _ in range(_FOUND_ROUNDS_MAX):
        wanted = sorted(new)
        for account, items in zip(wanted, await api.of_each(wanted, api.items), strict=True):
            rows += [(account, *item) for item in items]
        known |= new
        new = {str(row[6]) for row in rows if _is_wallet(str(row[6]))} - known
    await _read_wallets(api, evidence, known)
    _create(evidence, _ITEMS, rows)


def _create(evidence: duckdb.DuckDBPyConnection, relation: Relation, rows: Sequence[Row]) -> None:
    evidence.execute(f"DROP TABLE IF EXISTS {relation.name}")
    evidence.execute(relation.ddl)
    insert(evidence, relation, rows)
