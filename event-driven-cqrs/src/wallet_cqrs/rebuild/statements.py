"""The rebuild's SQL statements. Their schema and table names are constants, never input."""

TRY_ALONE = "SELECT pg_try_advisory_lock(3)"
"""Takes a session lock, so that only one rebuild of a shard runs at a time."""

CREATE = "SELECT create_read_model($1)"
CHECKPOINT = "SELECT position, epoch FROM {schema}.checkpoint"
BEGIN_READING = "UPDATE {schema}.checkpoint SET epoch = $1"
BEGIN_EPOCH = "SELECT begin_epoch('an operator began it')"

PAUSE_PROJECTION = "LOCK TABLE {schema}.checkpoint IN EXCLUSIVE MODE"
"""Waits for the projection's statement, and blocks the next one. Does not block readers."""

RENAME = "ALTER SCHEMA {old} RENAME TO {new}"
DROP_TABLE = "DROP TABLE IF EXISTS {schema}.{table}"
DROP_SCHEMA = "DROP SCHEMA IF EXISTS {schema} CASCADE"

TABLES = {
    "wallets": ("account_id", "currency, status, balance_micros, version, updated_at"),
    "postings": (
        "account_id, version",
        "kind, transaction_id, amount_micros, balance_micros, counterparty, at",
    ),
    "system_accounts": ("name, currency", "balance_micros"),
}
"""All tables of a read model except its checkpoint: the key, and the other columns that this version writes."""

DIFFERENCES = """
SELECT CASE WHEN l IS NULL THEN 'nothing' ELSE row_to_json(l)::text END AS live,
       CASE WHEN f IS NULL THEN 'nothing' ELSE row_to_json(f)::text END AS fresh
FROM (SELECT {keys}, {others} FROM {live}.{table}) AS l
FULL JOIN (SELECT {keys}, {others} FROM {fresh}.{table}) AS f USING ({keys})
WHERE to_jsonb(l) IS DISTINCT FROM to_jsonb(f)
LIMIT 20
"""
