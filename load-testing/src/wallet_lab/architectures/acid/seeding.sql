-- Open the wallets $1 by the transactions $2 with $3 micros of currency $4 each, like the service does.
-- Existing wallets are not changed.
WITH seeds AS (
    SELECT s.account_id, s.transaction_id
    FROM unnest($1::text[], $2::uuid[]) AS s(account_id, transaction_id)
    WHERE NOT EXISTS (SELECT FROM wallets w WHERE w.account_id = s.account_id)
), opened AS (
    INSERT INTO wallets (account_id, currency, status, balance_micros, version, updated_at)
    SELECT account_id, $4::text, 'active', $3::bigint, 1, statement_timestamp() FROM seeds
), posted AS (
    INSERT INTO ledger (account_id, version, kind, transaction_id, amount_micros, balance_micros, counterparty, at)
    SELECT account_id, 1, 'opening', transaction_id, $3::bigint, $3::bigint, '@external', statement_timestamp()
    FROM seeds
), logged AS (
    INSERT INTO transfers (transaction_id, kind, from_account, to_account, amount_micros, currency, at)
    SELECT transaction_id, 'opening', '@external', account_id, $3::bigint, $4::text, statement_timestamp() FROM seeds
)
INSERT INTO system_accounts AS s (name, currency, balance_micros)
SELECT '@external', $4::text, -$3::numeric * count(*) FROM seeds
ON CONFLICT (name, currency) DO UPDATE SET balance_micros = s.balance_micros + excluded.balance_micros
