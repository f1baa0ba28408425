-- rule: every listed posting is one of the books
-- lie: a posting in the read model that differs in any column, is missing, or is not in the books
-- needs: books
WITH true_rows AS (
    SELECT h.holder, o.owner AS shard, b.account, b.version, b.kind, b.transaction_id, b.amount_micros, b.counterparty, b.balance, b.at_us
    FROM book b JOIN homes o USING (account), holders h WHERE h.lists_postings AND b.amount_micros <> 0
)
SELECT coalesce(l.account, t.account) AS account, coalesce(l.transaction_id, t.transaction_id) AS transaction_id, NULL AS call_id,
       concat(coalesce(l.holder, t.holder), ' lists for version ', coalesce(l.version, t.version), ' of wallet ', coalesce(l.account, t.account), ' ',
           CASE WHEN l.account IS NULL THEN 'nothing' ELSE concat('a ', l.kind, ' ', l.transaction_id, ' of ', l.amount_micros, ' micros, then ',
               l.balance_micros, ', with ', l.counterparty, ' at ', l.at_us, ' us') END, ', but the books have ',
           CASE WHEN t.account IS NULL THEN 'nothing' ELSE concat('a ', t.kind, ' ', t.transaction_id, ' of ', t.amount_micros, ' micros, then ',
               t.balance, ', with ', t.counterparty, ' at ', t.at_us, ' us') END) AS sentence
FROM listed l FULL JOIN true_rows t ON l.holder = t.holder AND l.account = t.account AND l.version = t.version
WHERE (l.shard, l.kind, l.transaction_id, l.amount_micros, l.counterparty, l.balance_micros, l.at_us)
    IS DISTINCT FROM (t.shard, t.kind, t.transaction_id, t.amount_micros, t.counterparty, t.balance, t.at_us)
UNION ALL
SELECT account, NULL, NULL, concat(holder, ' lists version ', version, ' of wallet ', account, ' ', count(*), ' times')
FROM listed GROUP BY holder, account, version HAVING count(*) > 1
