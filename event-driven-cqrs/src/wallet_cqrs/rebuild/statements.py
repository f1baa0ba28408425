"""The rebuild's SQL. Schemas and tables are constants of this package, never input."""

TRY_ALONE = "SELECT pg_try_advisory_lock(3)"
"""Held by the session: one rebuild of a shard at a time."""

CREATE = "SELECT create_read_model($1)"
POSITION = "SELECT position FROM {schema}.checkpoint"

PAUSE_PROJECTION = "LOCK TABLE {schema}.checkpoint IN EXCLUSIVE MODE"
"""Waits for the projection's transaction and keeps the next one out; readers are let through."""

RENAME = "ALTER SCHEMA {old} RENAME TO {new}"
DROP_TABLE = "DROP TABLE IF EXISTS {schema}.{table}"
DROP_SCHEMA = "DROP SCHEMA IF EXISTS {schema} CASCADE"

TABLES = {
    "wallets": "account_id",
    "postings": "account_id, version",
    "system_accounts": "name, currency",
}
"""Every table of a read model but its checkpoint, and its key."""

DIFFERENCES = """
SELECT CASE WHEN l IS NULL THEN 'nothing' ELSE row_to_json(l)::text END AS live,
       CASE WHEN f IS NULL THEN 'nothing' ELSE row_to_json(f)::text END AS fresh
FROM {live}.{table} AS l FULL JOIN {fresh}.{table} AS f USING ({keys})
WHERE to_jsonb(l) IS DISTINCT FROM to_jsonb(f)
LIMIT 20
"""
