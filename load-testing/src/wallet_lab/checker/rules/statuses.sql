-- rule: postings obey the wallet's status
-- lie: a posting on a frozen or closed wallet; a change to a status that the wallet already has
SELECT b.account, b.transaction_id, c.call_id, concat('version ', b.version, ' of wallet ', b.account, ' is of kind ', b.kind, ' with ', b.amount_micros,
       ' micros', coalesce(' by ' || s.words, ''), ', but the wallet was ', before, ' with ', balance - b.amount_micros, ' micros') AS sentence
FROM (SELECT *, coalesce(lag(status_after) OVER (PARTITION BY account ORDER BY version), 'absent') AS before FROM book) b
LEFT JOIN claims c ON c.transaction_id = b.transaction_id LEFT JOIN said s ON s.call_id = c.call_id
WHERE NOT CASE
    WHEN kind = 'opening' THEN before = 'absent'
    WHEN kind = 'frozen' THEN before = 'active'
    WHEN kind = 'unfrozen' THEN before = 'frozen'
    WHEN kind = 'closed' THEN before IN ('active', 'frozen') AND balance = 0
    WHEN kind = 'refund' THEN before IN ('active', 'frozen') -- a refund must always succeed
    ELSE before = 'active' END
