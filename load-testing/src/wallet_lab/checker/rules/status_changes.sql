-- rule: every change of a status was sent
-- lie: a wallet that is frozen, unfrozen or closed without a request; a request that had no effect
WITH entries AS (
    SELECT account, kind, count(*) AS entries FROM book WHERE in_run AND kind IN ('frozen', 'unfrozen', 'closed') GROUP BY ALL
)
SELECT e.account, NULL AS transaction_id, NULL AS call_id, concat('wallet ', e.account, ' has ', e.entries, ' entries of kind ', e.kind,
       ', but clients sent ', coalesce(k.calls, 0), ' such requests') AS sentence
FROM entries e LEFT JOIN status_calls k USING (account, kind)
WHERE e.entries > coalesce(k.calls, 0) AND (EXISTS (SELECT 1 FROM calls) OR EXISTS (SELECT 1 FROM baseline))
UNION ALL
SELECT a.account, NULL, a.call_id, concat(s.words, ', but ', CASE
    WHEN b.account IS NULL THEN concat('the wallet has no version ', a.version)
    ELSE concat('version ', a.version, ' is ', b.status_after) END)
FROM answers a LEFT JOIN book b ON b.account = a.account AND b.version = a.version
JOIN said s ON s.call_id = a.call_id
WHERE a.operation IN ('freeze', 'unfreeze', 'close') AND a.outcome = 'success'
  AND b.status_after IS DISTINCT FROM
      CASE a.operation WHEN 'freeze' THEN 'frozen' WHEN 'unfreeze' THEN 'active' ELSE 'closed' END
UNION ALL
SELECT b.account, NULL, NULL, concat('version ', b.version, ' of wallet ', b.account, ' is of kind ', b.kind, ' at ', b.at_us,
       ' us, but no such request was under way then')
FROM book b, run r
WHERE b.in_run AND b.kind IN ('frozen', 'unfrozen', 'closed') AND (EXISTS (SELECT 1 FROM calls) OR EXISTS (SELECT 1 FROM baseline)) AND NOT EXISTS (
    SELECT 1 FROM answers a
    WHERE a.account = b.account AND a.outcome IN ('success', 'unknown')
      AND a.operation = CASE b.kind WHEN 'frozen' THEN 'freeze' WHEN 'unfrozen' THEN 'unfreeze' ELSE 'close' END
      AND b.at_us >= a.sent_us - r.clock_skew_us
      AND b.at_us <= CASE a.outcome WHEN 'success' THEN a.answered_us ELSE r.taken_us END + r.clock_skew_us)
