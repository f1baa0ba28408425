"""The audit of a stack: collects the evidence, and checks it."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import duckdb
from redis.exceptions import RedisError

from wallet_lab.checker.check import checks
from wallet_lab.checker.evidence import insert, opened, save
from wallet_lab.checker.extraction import now_us
from wallet_lab.checker.schema import BASELINE, CALLS, DECIDED, RUN
from wallet_lab.report.model import Check
from wallet_lab.stack.running import RunningStack

NOT_ANSWERED = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError)
"""The errors of a database or cache that is down or shutting down."""
CLOCK_SKEW_US = 500_000
"""The clocks of the load generator and of the databases may differ this much: one machine, whose clock is adjusted."""
CACHE_WRITE_S = 0.5
"""The services write the cache just after the commit, and that commit may be the last act before the audit."""
_HAS = """
    SELECT (SELECT count(*) FROM calls) > 0, (SELECT count(*) FROM baseline) > 0,
           coalesce(strftime(make_timestamp((SELECT min(began_us) FROM run)), '%Y-%m-%d %H:%M:%S UTC'), 'the run')
"""


@dataclass(slots=True)
class Evidence:
    """The evidence of one run, while it is collected. The load's record adds the calls to `database`."""

    database: duckdb.DuckDBPyConnection
    began_us: int | None = None
    """When the record of calls began; None: with the first call."""

    @classmethod
    def empty(cls) -> "Evidence":
        """Return evidence without any row."""
        return cls(opened())

    def add_clients(self, folder: Path) -> None:
        """Add the calls and the baseline of evidence that was kept. Raises duckdb.Error if it is damaged."""
        with opened(folder) as kept:
            for relation in (CALLS, BASELINE, DECIDED):
                insert(self.database, relation, kept.execute(f"FROM {relation.name}").fetchall())
            (self.began_us,) = kept.execute("SELECT min(began_us) FROM run").fetchall()[0]

    async def begin(self, stack: RunningStack) -> None:
        """Keep the wallets and the number of decisions of a quiescent stack as the baseline.

        Call it before the first call of the run.
        """
        ledger = stack.adapter.ledger
        if ledger is not None:
            with opened() as before:
                await ledger.beginning(before, stack)
                wallets = before.execute(
                    "SELECT account, currency, status, balance_micros, version FROM wallets"
                ).fetchall()
                decided = before.execute("FROM decided").fetchall()
            insert(self.database, BASELINE, wallets)
            insert(self.database, DECIDED, decided)
        self.began_us = now_us()


async def audit(
    stack: RunningStack, evidence: Evidence, settled_s: float | None, *, keep: Path | None = None
) -> list[Check]:
    """Collect the relations of a quiescent stack and check them; without a ledger there are no checks.

    Args:
        stack: the stack.
        evidence: has the calls, if there are any.
        settled_s: how long open work took to end; None: it did not end.
        keep: the folder that gets the evidence as Parquet files.

    Raises:
        one of NOT_ANSWERED: a database or the cache does not answer.
    """
    ledger = stack.adapter.ledger
    if ledger is None:
        return []
    await asyncio.sleep(CACHE_WRITE_S)
    await ledger.relations(evidence.database, stack)
    insert(evidence.database, RUN, [_run(stack, evidence, settled_s)])
    if keep is not None:
        save(evidence.database, keep)
    return list(checks(evidence.database))


def _run(stack: RunningStack, evidence: Evidence, settled_s: float | None) -> tuple[object, ...]:
    ledger = stack.adapter.ledger
    assert ledger is not None, "without a ledger there is no audit"
    taken_us = now_us()
    first_us = evidence.database.execute("SELECT min(sent_us) FROM calls").fetchall()[0][0]
    began_us = evidence.began_us or first_us or taken_us
    settled_us = None if settled_s is None else int(settled_s * 1_000_000)
    return stack.architecture, ledger.reads, began_us, taken_us, settled_us, CLOCK_SKEW_US


async def audit_books(stack: RunningStack) -> list[Check]:
    """Check a quiescent stack whose clients kept no record: its books in themselves."""
    return await audit(stack, Evidence.empty(), 0.0)


def audit_evidence(folder: Path) -> list[Check]:
    """Check evidence that was kept. Raises duckdb.Error if it is damaged."""
    with opened(folder) as database:
        return list(checks(database))


def limits(database: duckdb.DuckDBPyConnection) -> list[str]:
    """Return one sentence for each part of a full audit that this evidence does not allow."""
    has_calls, has_baseline, at = database.execute(_HAS).fetchall()[0]
    if not has_calls:
        return ["There is no record of calls, so only the books in themselves were checked."]
    if not has_baseline:
        return [f"There is no baseline, so the postings from before {at} were taken as given."]
    return []


def violations(found: Iterable[Check]) -> list[str]:
    """Return one sentence per violation that the failed checks found."""
    return [f"{one.name}: {sentence}" for one in found for sentence in one.violations]
