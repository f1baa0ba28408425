-- Everything a batch changed, in one round trip. Wallets change by deltas, and only from the version that was
-- loaded: the count of those that did is the last word on whether this writer was alone.
-- Rows come as arrays of the tables' own types: for the driver one value a row, not one a column.
-- $1 wallets as changed, $2 $3 $4 the versions they were loaded at and the deltas; $5 new wallets; $6 ledger;
-- $7 new transfers, $8 their first lease's end; $9 $10 $11 $12 transfers that ended; $13 barrier;
-- $14 $15 $16 the other sides.
WITH changed AS (
    UPDATE wallets AS w
    SET balance_micros = w.balance_micros + d.balance_delta,
        in_flight_micros = w.in_flight_micros + d.in_flight_delta,
        status = d.status,
        version = d.version,
        updated_at = d.updated_at
    FROM unnest($1::wallets[], $2::bigint[], $3::bigint[], $4::bigint[])
        AS d(account_id, currency, status, balance_micros, in_flight_micros, version, updated_at,
             loaded_version, balance_delta, in_flight_delta)
    WHERE w.account_id = d.account_id AND w.version = d.loaded_version
    RETURNING 1
), opened AS (
    INSERT INTO wallets SELECT * FROM unnest($5::wallets[])
), posted AS (
    INSERT INTO ledger SELECT * FROM unnest($6::ledger[])
), logged AS (
    INSERT INTO transfers (transfer_id, kind, state, from_account, to_account, amount_micros, currency,
                           idempotency_key, fingerprint, reason, started_at, ended_at, lease_until)
    SELECT transfer_id, kind, state, from_account, to_account, amount_micros, currency,
           idempotency_key, fingerprint, reason, started_at, ended_at, $8::timestamptz
    FROM unnest($7::transfers[])
), ended AS (
    UPDATE transfers AS t
    SET state = e.state, reason = e.reason, ended_at = e.ended_at
    FROM unnest($9::uuid[], $10::text[], $11::text[], $12::timestamptz[]) AS e(transfer_id, state, reason, ended_at)
    WHERE t.transfer_id = e.transfer_id
), barred AS (
    INSERT INTO credits SELECT * FROM unnest($13::credits[])
), balanced AS (
    INSERT INTO system_accounts AS s (name, currency, balance_micros)
    SELECT * FROM unnest($14::text[], $15::text[], $16::numeric[])
    ON CONFLICT (name, currency) DO UPDATE SET balance_micros = s.balance_micros + excluded.balance_micros
)
SELECT count(*) FROM changed
