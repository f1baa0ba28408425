-- Selects the wallets of these accounts and the checkpoint, in one snapshot, so that they are consistent.
-- The result has one row for each account of $1, in order. If the wallet does not exist, its columns are null.
SELECT c.diverged, c.position, c.epoch,
       w.account_id, w.currency, w.status, w.balance_micros, w.version, w.updated_at
FROM unnest($1::text[]) WITH ORDINALITY AS asked(account_id, number)
CROSS JOIN checkpoint c
LEFT JOIN wallets w ON w.account_id = asked.account_id
ORDER BY asked.number
