-- rule: every stored wallet is the fold of its postings
-- lie: a wallet, read model, snapshot or cache entry that differs in any column, is missing, or should not exist
WITH flying AS (
    SELECT payer AS account, sum(amount_micros) AS micros FROM transfers WHERE kind = 'transfer' AND state = 'pending' GROUP BY payer
)
SELECT w.account, NULL AS transaction_id, NULL AS call_id, concat(w.holder, ' shows wallet ', w.account, ' at version ', w.version, ' with ',
       w.balance_micros, ' micros ', w.currency, ', ', w.status, coalesce(', ' || w.in_flight_micros || ' in flight', ''),
       coalesce(', changed at ' || w.updated_us || ' us', ''), ', but the postings give ',
       CASE WHEN b.account IS NULL THEN concat('no such version (the last is ', coalesce(a.version, 0), ')')
            ELSE concat('version ', coalesce(CASE WHEN h.is_current THEN a.version END, b.version), ' with ', b.balance, ' micros ', b.wallet_currency, ', ',
                        b.status_after, ', changed at ', b.at_us, ' us, and ', coalesce(f.micros, 0), ' in flight') END) AS sentence
FROM wallets w LEFT JOIN holders h USING (holder) LEFT JOIN accounts a ON a.account = w.account
LEFT JOIN book b ON b.account = w.account AND b.version = w.version LEFT JOIN flying f ON f.account = w.account, run r
WHERE (b.account IS NULL OR h.holder IS NULL OR w.balance_micros <> b.balance OR w.status <> b.status_after OR w.currency <> b.wallet_currency
       OR w.updated_us <> b.at_us OR w.in_flight_micros <> coalesce(f.micros, 0)
       OR (h.is_current AND w.version <> a.version)
       OR w.position < b.position OR w.position > (SELECT max(position) FROM positions WHERE name = 'head')
       OR (h.expires_within_us IS NOT NULL AND coalesce(w.expires_us > r.taken_us + h.expires_within_us, true)))
  -- A cache that missed an update shows an old version until it expires. Only a true old version may do so.
  AND NOT coalesce(h.may_be_older AND w.version < a.version AND w.balance_micros = b.balance AND w.status = b.status_after
                   AND w.currency = b.wallet_currency AND w.updated_us = b.at_us AND w.expires_us <= r.taken_us + h.expires_within_us
                   AND (w.position IS NULL OR w.position < (SELECT min(n.position) FROM book n WHERE n.account = w.account AND n.version > w.version)), false)
UNION ALL
SELECT a.account, NULL, NULL, concat(h.holder, ' has ', count(w.account), ' rows of wallet ', a.account)
FROM accounts a CROSS JOIN holders h LEFT JOIN wallets w ON w.holder = h.holder AND w.account = a.account
WHERE h.is_current GROUP BY a.account, h.holder, h.is_complete
HAVING count(w.account) > 1 OR (h.is_complete AND count(w.account) = 0)
UNION ALL
SELECT account, NULL, NULL, concat(holder, ' has ', count(*), ' rows of version ', version, ' of wallet ', account)
FROM wallets GROUP BY account, holder, version HAVING count(*) > 1
UNION ALL
SELECT NULL, NULL, NULL, concat('nothing stores all of the ', count(*), ' wallets') FROM accounts
HAVING count(*) > 0 AND NOT EXISTS (SELECT 1 FROM holders WHERE is_complete)
