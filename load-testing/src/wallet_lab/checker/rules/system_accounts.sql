-- rule: system accounts are the other side of every posting
-- lie: a missing row or a changed balance of @external or @transit, also if another shard makes up for it
-- needs: books
WITH expected AS (
    SELECT h.holder, o.owner AS shard, CASE WHEN p.counterparty = '@external' THEN '@external' ELSE '@transit' END AS name,
           p.wallet_currency AS currency, -sum(p.amount_micros) AS micros
    FROM book p JOIN homes o USING (account), (
        SELECT DISTINCT holder FROM system_accounts UNION ALL SELECT 'books' WHERE NOT EXISTS (SELECT 1 FROM system_accounts)) h
    WHERE p.amount_micros <> 0 GROUP BY ALL
)
SELECT NULL AS account, NULL AS transaction_id, NULL AS call_id, concat(coalesce(s.holder, e.holder), ', shard ', coalesce(s.shard, e.shard), ': ',
       coalesce(s.name, e.name), ' has ', coalesce(s.balance_micros, 0), ' micros ', coalesce(s.currency, e.currency),
       ', but the postings give ', coalesce(e.micros, 0)) AS sentence
FROM system_accounts s FULL JOIN expected e USING (holder, shard, name, currency)
WHERE coalesce(s.balance_micros, 0) <> coalesce(e.micros, 0)
UNION ALL
SELECT NULL, NULL, NULL, concat(holder, ', shard ', shard, ' has ', count(*), ' accounts ', name, ' ', currency)
FROM system_accounts GROUP BY holder, shard, name, currency HAVING count(*) > 1
