"""The query service's SQL statements, some of them from the files in `sql/`."""

from functools import partial

from wallet_kernel.database import read_statement

_read = partial(read_statement, "wallet_cqrs.query")

BALANCES = _read("balances")
STATEMENT = _read("statement")
VERSION_AT = _read("version_at")

CHECKPOINT = "SELECT position, epoch FROM checkpoint"
HEAD = "SELECT position FROM log_head"

HEAD_AND_APPENDER = _read("head_and_appender")
APPENDS = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND transactionid = $1 AND granted)"
)
"""Selects whether transaction $1 is still running."""

DECISION = _read("decision")
TIMELINE = "SELECT type, at FROM events WHERE position BETWEEN $1 AND $2 ORDER BY position"
SNAPSHOT = """SELECT state FROM snapshots JOIN events USING (stream_id, version, at)
WHERE stream_id = $1 AND version <= $2 AND snapshots.schema_version = $3 ORDER BY version DESC LIMIT 1"""
EVENTS = """SELECT type, schema_version, data, at FROM events
WHERE stream_id = $1 AND version > $2 AND version <= $3 ORDER BY version"""
