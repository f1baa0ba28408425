-- Finds the last entry of wallet $1 at or before moment $2, by bisection over the versions. This is correct because the
-- times of a wallet's versions never decrease, and every version has one entry.
WITH RECURSIVE search(low, high) AS (
    SELECT 0::bigint, version FROM wallets WHERE account_id = $1
    UNION ALL
    SELECT CASE WHEN l.at <= $2 THEN l.version ELSE s.low END,
           CASE WHEN l.at <= $2 THEN s.high ELSE l.version - 1 END
    FROM search s JOIN ledger l ON l.account_id = $1 AND l.version = (s.low + s.high + 1) / 2
    WHERE s.low < s.high
)
SELECT w.currency, l.balance_micros, l.version, l.at,
       coalesce((SELECT CASE c.kind WHEN 'unfrozen' THEN 'active' ELSE c.kind END
                 FROM ledger c
                 WHERE c.account_id = $1 AND c.version <= l.version AND c.transfer_id IS NULL
                 ORDER BY c.version DESC LIMIT 1), 'active') AS status
FROM search s
JOIN ledger l ON l.account_id = $1 AND l.version = s.low
JOIN wallets w ON w.account_id = $1
WHERE s.low = s.high
