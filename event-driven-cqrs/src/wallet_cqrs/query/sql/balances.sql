-- The wallets of these accounts with the checkpoint they reflect: one snapshot, so the two belong together.
-- A row for each account of $1 in its order; the wallet's columns are null where there is none.
SELECT c.diverged, c.position, c.epoch,
       w.account_id, w.currency, w.status, w.balance_micros, w.version, w.updated_at
FROM unnest($1::text[]) WITH ORDINALITY AS asked(account_id, number)
CROSS JOIN checkpoint c
LEFT JOIN wallets w ON w.account_id = asked.account_id
ORDER BY asked.number
