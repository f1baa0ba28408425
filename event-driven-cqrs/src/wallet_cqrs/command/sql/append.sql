-- Appends events and decisions, and returns the time of the append. If the log's head or epoch differs from $1 or $2,
-- the statement changes nothing and returns no row. Positions continue after $1.
--
-- The time is read after the row of the head is locked: reads of past balances rely on this order. A wallet's events
-- must not go back in time, even if the clock was set back, so no event is earlier than the last one before the batch.
WITH head AS (
    UPDATE log_head SET position = $1::bigint + cardinality($3::text[])
    WHERE position = $1::bigint AND epoch = $2 AND server = log_server()
    RETURNING clock_timestamp() AS now
), appended AS (
    INSERT INTO events (position, stream_id, version, type, schema_version, transaction_id, data, at)
    SELECT $1 + n, stream_id, version, type, schema_version, transaction_id, data, greatest(now, not_before)
    FROM head, unnest($3::text[], $4::bigint[], $5::text[], $6::smallint[], $7::uuid[], $8::bytea[], $9::timestamptz[])
        WITH ORDINALITY AS event(stream_id, version, type, schema_version, transaction_id, data, not_before, n)
), decided AS (
    INSERT INTO decisions (transaction_id, kind, from_account, to_account, amount_micros, currency, reason, refused_by,
                           first_position, last_position, idempotency_key, fingerprint, at)
    SELECT transaction_id, kind, from_account, to_account, amount_micros, currency, reason, refused_by,
           first_position, last_position, idempotency_key, fingerprint, now
    FROM head, unnest($10::uuid[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::text[], $16::text[],
                      $17::text[], $18::bigint[], $19::bigint[], $20::text[], $21::bytea[])
        AS decision(transaction_id, kind, from_account, to_account, amount_micros, currency, reason, refused_by,
                    first_position, last_position, idempotency_key, fingerprint)
)
SELECT now, CASE WHEN cardinality($3::text[]) > 0 THEN pg_notify('wallet_events', '') END FROM head
