-- Returns wallet $1.
SELECT account_id, currency, balance_micros, version, status, updated_at FROM wallets WHERE account_id = $1
