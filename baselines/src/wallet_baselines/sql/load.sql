-- Returns the time, and the transfers that owners $1 already made with idempotency keys $2. This statement must follow
-- the locks: a snapshot from before the wait would miss the transfer that held them, and its time would be too early.
SELECT
    clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(t.transaction_id, t.kind, t.from_account, t.to_account, t.amount_micros, t.currency,
                   t.idempotency_key, t.fingerprint, t.reason, t.refused_by, t.at)
        FROM unnest($1::text[], $2::text[]) AS k(owner, key)
        JOIN transfers t ON t.owner = k.owner AND t.idempotency_key = k.key
    ) AS transfers
