-- Writes all changes of a run of events in one read shard, with the checkpoint, in one round trip.
-- Readers that wait for a position listen to the schema's name; Postgres notifies them when the transaction commits.
-- $1-$6 new states of wallets, $7-$14 postings, $15-$17 changes of the system accounts, $18 the position reached.
WITH shown AS (
    INSERT INTO wallets (account_id, currency, status, balance_micros, version, updated_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::timestamptz[])
    ON CONFLICT (account_id) DO UPDATE
    SET status = excluded.status,
        balance_micros = excluded.balance_micros,
        version = excluded.version,
        updated_at = excluded.updated_at
), posted AS (
    INSERT INTO postings (account_id, version, kind, transaction_id, amount_micros, balance_micros, counterparty, at)
    SELECT * FROM unnest($7::text[], $8::bigint[], $9::text[], $10::uuid[], $11::bigint[], $12::bigint[],
                         $13::text[], $14::timestamptz[])
), balanced AS (
    INSERT INTO system_accounts AS s (name, currency, balance_micros)
    SELECT * FROM unnest($15::text[], $16::text[], $17::numeric[])
    ON CONFLICT (name, currency) DO UPDATE SET balance_micros = s.balance_micros + excluded.balance_micros
)
UPDATE checkpoint SET position = $18
RETURNING pg_notify(current_schema(), position::text)
