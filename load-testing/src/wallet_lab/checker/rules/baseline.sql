-- rule: the history before the run has not changed
-- lie: a posting or a decision from before the run that is changed, removed or added
SELECT b.account, NULL AS transaction_id, NULL AS call_id, concat('wallet ', b.account, ' began the run at version ', b.version, ' with ', b.balance_micros, ' micros ',
       b.currency, ', ', b.status, ', but the postings give ', CASE WHEN k.account IS NULL THEN 'no such version'
           ELSE concat(k.balance, ' micros ', k.wallet_currency, ', ', k.status_after) END) AS sentence
FROM baseline b LEFT JOIN book k ON k.account = b.account AND k.version = b.version
WHERE (k.balance, k.status_after, k.wallet_currency) IS DISTINCT FROM (b.balance_micros, b.status, b.currency)
UNION ALL
SELECT account, transaction_id, NULL, concat('version ', version, ' of wallet ', account, ' is part of the run, but has the time ', at_us, ' us, before the run began at ', began_us)
FROM book, run WHERE in_run AND at_us < began_us - clock_skew_us AND (SELECT count(*) FROM baseline) > 0
UNION ALL -- refusals have no postings, so they are only counted
SELECT NULL, NULL, NULL, concat('the books have ', n.decisions, ' decisions that no call of the run made, but had ', d.decisions, ' when the run began')
FROM (SELECT count(*) AS decisions FROM transfers t WHERE NOT EXISTS (SELECT 1 FROM claims c WHERE c.transaction_id = t.transaction_id)) n,
     (SELECT sum(decisions) AS decisions FROM decided) d
WHERE n.decisions <> d.decisions
