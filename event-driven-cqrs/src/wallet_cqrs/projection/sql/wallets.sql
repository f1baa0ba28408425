-- Selects the existing wallets of these accounts.
SELECT account_id, currency, status, balance_micros, version, updated_at FROM wallets WHERE account_id = ANY($1::text[])
