"""Reads the calls of a load under faults from the evidence, with the staleness of every read."""

from importlib.resources import files

import duckdb

from wallet_lab.architectures.bindings import Binding, ClientRequest
from wallet_lab.nemesis.load import PARTS
from wallet_lab.nemesis.moments import Seen

_CALLS = (files("wallet_lab.nemesis") / "history.sql").read_text()


def history(
    evidence: duckdb.DuckDBPyConnection, binds: Binding, shards: int, *, begin_us: int, end_us: int
) -> list[Seen]:
    """Return the calls that ended in time, in seconds since `begin_us`. The bank's calls are left out.

    Args:
        evidence: has the calls of one load, and the postings that the audit has extracted.
        binds: decides whether a call is bound to the broken component.
        shards: the number of shards.
        begin_us: the load's start.
        end_us: the time when the load was stopped. Later answers are those of cancelled requests.
    """
    rows = evidence.execute(_CALLS, {"parts": list(PARTS), "end_us": end_us}).fetchall()
    return [
        Seen(
            sent_s=(sent_us - begin_us) / 1e6,
            answered_s=(answered_us - begin_us) / 1e6,
            kind=outcome.partition(":")[0],
            group=f"{operation} with position" if has_position else operation,
            is_bound=binds(ClientRequest(operation, account, counterparty, has_position), shards),
            stale_ms=stale_ms,
        )
        for operation, account, counterparty, has_position, sent_us, answered_us, outcome, stale_ms in rows
    ]
