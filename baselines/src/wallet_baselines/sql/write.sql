-- Writes all changes of a transaction, in one round trip. Rows come as one array per column.
-- $1-$5 changed wallets, $6-$11 new wallets, $12-$19 ledger, $20-$30 transfers, $31-$32 the external account.
WITH changed AS (
    UPDATE wallets AS w
    SET status = c.status, balance_micros = c.balance_micros, version = c.version, updated_at = c.updated_at
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[])
        AS c(account_id, balance_micros, version, status, updated_at)
    WHERE w.account_id = c.account_id
), opened AS (
    INSERT INTO wallets (account_id, currency, balance_micros, version, status, updated_at)
    SELECT * FROM unnest($6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::text[], $11::timestamptz[])
), posted AS (
    INSERT INTO ledger (account_id, version, kind, transaction_id, amount_micros, balance_micros, counterparty, at)
    SELECT * FROM unnest($12::text[], $13::bigint[], $14::text[], $15::uuid[], $16::bigint[], $17::bigint[],
                         $18::text[], $19::timestamptz[])
), logged AS (
    INSERT INTO transfers (transaction_id, kind, from_account, to_account, amount_micros, currency, idempotency_key,
                           fingerprint, reason, refused_by, at)
    SELECT * FROM unnest($20::uuid[], $21::text[], $22::text[], $23::text[], $24::bigint[], $25::text[], $26::text[],
                         $27::bytea[], $28::text[], $29::text[], $30::timestamptz[])
)
-- The rows are locked in the order of the currencies, so that two transactions wait for each other and never deadlock.
INSERT INTO system_accounts AS s (name, currency, balance_micros)
SELECT '@external', currency, micros FROM unnest($31::text[], $32::numeric[]) AS e(currency, micros) ORDER BY currency
ON CONFLICT (name, currency) DO UPDATE SET balance_micros = s.balance_micros + excluded.balance_micros
