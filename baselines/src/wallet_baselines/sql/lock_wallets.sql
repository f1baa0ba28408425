-- Locks wallets $1 until the transaction ends and returns them. The order of the locks is fixed, so that transactions
-- with the same wallets wait for each other and never deadlock.
SELECT account_id, currency, balance_micros, version, status, updated_at
FROM wallets
WHERE account_id = ANY($1::text[])
ORDER BY account_id
FOR UPDATE
