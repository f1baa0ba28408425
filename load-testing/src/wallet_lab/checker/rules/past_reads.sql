-- rule: every past balance is that of its moment
-- lie: a balance at a moment that is not the fold of the postings up to it
SELECT a.account, NULL AS transaction_id, a.call_id, concat(s.words, ' for ', a.at_asked_us, ' us with version ', coalesce(a.version, 0),
       ', but the wallet had version ', coalesce(b.version, 0), ' then') AS sentence
FROM (
    SELECT q.*, x.version AS true_version
    FROM (SELECT call_id, account, at_asked_us, version, outcome, problem FROM answers
          WHERE operation = 'balance_at' AND (outcome = 'success' OR problem = 'wallet-not-found')) q
    ASOF LEFT JOIN (SELECT account, at_us, max(version) AS version FROM book GROUP BY account, at_us) x
        ON q.account = x.account AND q.at_asked_us >= x.at_us
) a LEFT JOIN book b ON b.account = a.account AND b.version = a.true_version JOIN said s ON s.call_id = a.call_id
WHERE coalesce(a.version, 0) <> coalesce(a.true_version, 0)
