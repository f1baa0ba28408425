-- rule: no read is older than its client may expect
-- lie: a read that misses an acknowledged change, or goes back behind an earlier read of the same client
SELECT a.account, NULL AS transaction_id, a.call_id, concat(s.words, ' with version ', coalesce(a.version, 0), ', but version ', w.low,
       ' was acknowledged before the call was sent') AS sentence
FROM answers a JOIN windows w ON w.call_id = a.call_id AND w.account = a.account JOIN said s ON s.call_id = a.call_id, run r
WHERE r.reads = 'fresh' AND a.operation = 'balance' AND coalesce(a.version, 0) < w.low
  AND (a.outcome = 'success' OR a.problem = 'wallet-not-found')
UNION ALL
SELECT account, NULL, call_id, concat(words, ' with version ', version, ', but the same client had seen version ', seen)
FROM (
    SELECT a.account, a.call_id, s.words, a.version,
           max(a.version) OVER (PARTITION BY a.client, a.account ORDER BY a.sent_us, a.call_id
                                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS seen, a.operation
    FROM answers a JOIN said s USING (call_id), run r
    WHERE r.reads = 'fresh' AND a.outcome = 'success' AND a.version IS NOT NULL AND NOT a.replayed AND a.operation <> 'balance_at'
) WHERE version < seen AND operation = 'balance'
UNION ALL
-- With positions: everything up to the position that was asked for, and up to the one that the answer names.
SELECT a.account, NULL, a.call_id, concat(s.words, ' with version ', coalesce(a.version, 0), ' at position ', a.position,
       ', but version ', b.version, ' is at position ', b.position,
       CASE WHEN a.min_position IS NOT NULL THEN concat(' and the client asked for ', a.min_position) END)
FROM answers a JOIN said s USING (call_id), run r,
     LATERAL (SELECT max(version) AS version, max(position) AS position FROM book
              WHERE book.account = a.account AND book.position <= greatest(coalesce(a.min_position, 0), coalesce(a.position, 0))) b
WHERE r.reads = 'positions' AND a.operation = 'balance' AND (a.outcome = 'success' OR a.problem = 'wallet-not-found')
  AND (coalesce(a.version, 0) < b.version OR (a.outcome = 'success' AND a.position < a.min_position))
UNION ALL -- readers had seen every wallet of the baseline before the first call
SELECT a.account, NULL, a.call_id, concat(s.words, ', but the wallet had version ', b.version, ' before the first call')
FROM answers a JOIN said s USING (call_id) JOIN baseline b ON b.account = a.account
WHERE a.operation IN ('balance', 'statement') AND a.problem = 'wallet-not-found'
