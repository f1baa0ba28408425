-- Returns the state of wallet $1 at $2: its last entry until then. The times of a wallet's versions never decrease.
SELECT l.account_id, w.currency, l.balance_micros, l.version,
       coalesce((SELECT CASE c.kind WHEN 'unfrozen' THEN 'active' ELSE c.kind END
                 FROM ledger c
                 WHERE c.account_id = $1 AND c.version <= l.version AND c.transaction_id IS NULL
                 ORDER BY c.version DESC LIMIT 1), 'active') AS status,
       l.at
FROM ledger l
JOIN wallets w USING (account_id)
WHERE l.account_id = $1 AND l.at <= $2
ORDER BY l.version DESC
LIMIT 1
