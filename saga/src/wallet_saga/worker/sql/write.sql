-- Writes all changes of a batch in one round trip, as a transaction of its own, and returns their time.
-- Every part needs the row of `batch`. So the statement takes the batch lock before it reads the time, and before it
-- changes a row.
-- Rows come as one array per column. The columns are named, so that a column that a later version adds has no effect.
-- $1-$6 changed wallets, $7-$12 new wallets, $13-$20 ledger, $21-$30 new transfers, $31 the length of their first
-- lease, $32-$34 ended transfers, $35-$36 barrier, $37-$39 system accounts.
WITH batch AS MATERIALIZED (
    SELECT clock_timestamp() AS now FROM pg_advisory_xact_lock(1)
), changed AS (
    UPDATE wallets AS w
    SET balance_micros = w.balance_micros + d.balance_delta,
        in_flight_micros = w.in_flight_micros + d.in_flight_delta,
        status = d.status,
        version = d.version,
        updated_at = CASE WHEN d.version = w.version THEN w.updated_at ELSE greatest(batch.now, w.updated_at) END
    FROM batch, unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
        AS d(account_id, status, version, loaded_version, balance_delta, in_flight_delta)
    WHERE w.account_id = d.account_id AND w.version = d.loaded_version
    RETURNING 1
), opened AS (
    INSERT INTO wallets (account_id, currency, status, balance_micros, in_flight_micros, version, updated_at)
    SELECT o.*, batch.now
    FROM batch, unnest($7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[]) AS o
), posted AS (
    INSERT INTO ledger (account_id, version, kind, transfer_id, amount_micros, balance_micros, counterparty, at)
    SELECT p.account_id, p.version, p.kind, p.transfer_id, p.amount_micros, p.balance_micros, p.counterparty,
           greatest(batch.now, p.not_before)
    FROM batch, unnest($13::text[], $14::bigint[], $15::text[], $16::uuid[], $17::bigint[], $18::bigint[],
                       $19::text[], $20::timestamptz[])
        AS p(account_id, version, kind, transfer_id, amount_micros, balance_micros, counterparty, not_before)
), logged AS (
    INSERT INTO transfers (transfer_id, kind, state, from_account, to_account, amount_micros, currency,
                           idempotency_key, fingerprint, reason, started_at, ended_at, lease_until)
    SELECT t.*, batch.now, CASE WHEN t.state = 'debited' THEN NULL ELSE batch.now END, batch.now + $31::interval
    FROM batch, unnest($21::uuid[], $22::text[], $23::text[], $24::text[], $25::text[], $26::bigint[], $27::text[],
                       $28::text[], $29::bytea[], $30::text[])
        AS t(transfer_id, kind, state, from_account, to_account, amount_micros, currency, key, fingerprint, reason)
), ended AS (
    UPDATE transfers AS t
    SET state = e.state, reason = e.reason, ended_at = batch.now
    FROM batch, unnest($32::uuid[], $33::text[], $34::text[]) AS e(transfer_id, state, reason)
    WHERE t.transfer_id = e.transfer_id AND t.state = 'debited'
    RETURNING 1
), barred AS (
    INSERT INTO credits (transfer_id, reason, at)
    SELECT b.*, batch.now FROM batch, unnest($35::uuid[], $36::text[]) AS b
), balanced AS (
    INSERT INTO system_accounts AS s (name, currency, balance_micros)
    SELECT b.* FROM batch, unnest($37::text[], $38::text[], $39::numeric[]) AS b
    ON CONFLICT (name, currency) DO UPDATE SET balance_micros = s.balance_micros + excluded.balance_micros
)
-- The division by zero rolls everything back if a row no longer has the version or the state that the worker knows.
SELECT batch.now, 1 / (CASE WHEN (SELECT count(*) FROM changed) = cardinality($1)
                             AND (SELECT count(*) FROM ended) = cardinality($32) THEN 1 ELSE 0 END) AS guard
FROM batch
