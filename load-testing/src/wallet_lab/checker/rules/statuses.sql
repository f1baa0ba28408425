-- rule: postings obey the wallet's status
-- lie: a posting on a frozen or closed wallet; a change to a status that the wallet already has
SELECT account, transaction_id, NULL AS call_id, concat('version ', version, ' of wallet ', account, ' is of kind ', kind, ' with ', amount_micros,
       ' micros, but the wallet was ', before, ' with ', balance - amount_micros, ' micros') AS sentence
FROM (SELECT *, coalesce(lag(status_after) OVER (PARTITION BY account ORDER BY version), 'absent') AS before FROM book)
WHERE NOT CASE
    WHEN kind = 'opening' THEN before = 'absent'
    WHEN kind = 'frozen' THEN before = 'active'
    WHEN kind = 'unfrozen' THEN before = 'frozen'
    WHEN kind = 'closed' THEN before IN ('active', 'frozen') AND balance = 0
    WHEN kind = 'refund' THEN before IN ('active', 'frozen') -- a refund must always succeed
    ELSE before = 'active' END
