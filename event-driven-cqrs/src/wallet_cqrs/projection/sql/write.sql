-- Writes all changes of a run of events in one read shard, with the checkpoint, and returns one row. But writes nothing
-- and returns no row unless the model is as expected: the checkpoint has position $1, epoch $2 and table $3, the
-- partition is not stopped, and each changed wallet has its version in $11.
-- The update locks the checkpoint's row, so a concurrent write waits, and then compares the new row.
-- Readers that wait for a position listen to the schema's name; Postgres notifies them when the statement commits.
-- $4 the position reached, $5-$10 new states of wallets, $11 their versions before, $12-$19 postings, $20-$22 changes
-- of the system accounts.
WITH changed AS (
    SELECT * FROM unnest($5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::timestamptz[],
                         $11::bigint[])
        AS c (account_id, currency, status, balance_micros, version, updated_at, version_before)
), advanced AS (
    UPDATE checkpoint SET position = $4
    WHERE position = $1 AND epoch IS NOT DISTINCT FROM $2::uuid AND tableoid = $3 AND stopped IS NULL
    AND NOT EXISTS (
        SELECT FROM changed AS c LEFT JOIN wallets AS w ON w.account_id = c.account_id
        WHERE coalesce(w.version, 0) <> c.version_before
    )
    RETURNING position
), shown AS (
    INSERT INTO wallets (account_id, currency, status, balance_micros, version, updated_at)
    SELECT c.account_id, c.currency, c.status, c.balance_micros, c.version, c.updated_at FROM advanced, changed AS c
    ON CONFLICT (account_id) DO UPDATE
    SET status = excluded.status,
        balance_micros = excluded.balance_micros,
        version = excluded.version,
        updated_at = excluded.updated_at
), posted AS (
    INSERT INTO postings (account_id, version, kind, transaction_id, amount_micros, balance_micros, counterparty, at)
    SELECT p.* FROM advanced, unnest($12::text[], $13::bigint[], $14::text[], $15::uuid[], $16::bigint[], $17::bigint[],
                                     $18::text[], $19::timestamptz[]) AS p
), balanced AS (
    INSERT INTO system_accounts AS s (name, currency, balance_micros)
    SELECT b.* FROM advanced, unnest($20::text[], $21::text[], $22::numeric[]) AS b
    ON CONFLICT (name, currency) DO UPDATE SET balance_micros = s.balance_micros + excluded.balance_micros
)
SELECT pg_notify(current_schema(), position::text) FROM advanced
