-- Writes all changes of a batch, in one round trip. Wallets change by deltas, and only if they still have the loaded
-- version. The caller compares the returned count with the expected one, to detect another writer.
-- Rows come as one array per column. The columns are named, so that a column that a later version adds has no effect.
-- $1-$7 changed wallets, $8-$14 new wallets, $15-$22 ledger, $23-$34 new transfers, $35 the end of their first lease,
-- $36-$39 ended transfers, $40-$42 barrier, $43-$45 system accounts.
WITH changed AS (
    UPDATE wallets AS w
    SET balance_micros = w.balance_micros + d.balance_delta,
        in_flight_micros = w.in_flight_micros + d.in_flight_delta,
        status = d.status,
        version = d.version,
        updated_at = d.updated_at
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::bigint[])
        AS d(account_id, status, version, updated_at, loaded_version, balance_delta, in_flight_delta)
    WHERE w.account_id = d.account_id AND w.version = d.loaded_version
    RETURNING 1
), opened AS (
    INSERT INTO wallets (account_id, currency, status, balance_micros, in_flight_micros, version, updated_at)
    SELECT * FROM unnest($8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[],
                         $14::timestamptz[])
), posted AS (
    INSERT INTO ledger (account_id, version, kind, transfer_id, amount_micros, balance_micros, counterparty, at)
    SELECT * FROM unnest($15::text[], $16::bigint[], $17::text[], $18::uuid[], $19::bigint[], $20::bigint[],
                         $21::text[], $22::timestamptz[])
), logged AS (
    INSERT INTO transfers (transfer_id, kind, state, from_account, to_account, amount_micros, currency,
                           idempotency_key, fingerprint, reason, started_at, ended_at, lease_until)
    SELECT t.*, $35::timestamptz
    FROM unnest($23::uuid[], $24::text[], $25::text[], $26::text[], $27::text[], $28::bigint[], $29::text[],
                $30::text[], $31::bytea[], $32::text[], $33::timestamptz[], $34::timestamptz[]) AS t
), ended AS (
    UPDATE transfers AS t
    SET state = e.state, reason = e.reason, ended_at = e.ended_at
    FROM unnest($36::uuid[], $37::text[], $38::text[], $39::timestamptz[]) AS e(transfer_id, state, reason, ended_at)
    WHERE t.transfer_id = e.transfer_id
), barred AS (
    INSERT INTO credits (transfer_id, reason, at)
    SELECT * FROM unnest($40::uuid[], $41::text[], $42::timestamptz[])
), balanced AS (
    INSERT INTO system_accounts AS s (name, currency, balance_micros)
    SELECT * FROM unnest($43::text[], $44::text[], $45::numeric[])
    ON CONFLICT (name, currency) DO UPDATE SET balance_micros = s.balance_micros + excluded.balance_micros
)
SELECT count(*) FROM changed
