-- rule: an answered position covers its own write
-- lie: an answer whose position is before the events that it made or shows, or beyond the log
-- needs: books
SELECT a.account, t.transaction_id, a.call_id, concat(s.words, ' at position ', coalesce(a.position::VARCHAR, 'none'), ', but its events end at position ',
       t.last_position) AS sentence
FROM answers a JOIN transfers t ON t.transaction_id = a.transaction_id JOIN said s ON s.call_id = a.call_id, run r
WHERE r.reads = 'positions' AND a.outcome = 'success' AND t.last_position IS NOT NULL AND a.operation <> 'lookup'
  AND (a.position IS NULL OR a.position < t.last_position)
UNION ALL
SELECT a.account, NULL, a.call_id, concat(s.words, ' at position ', a.position, ', but version ', a.version, ' is at position ', b.position)
FROM answers a JOIN book b ON b.account = a.account AND b.version = a.version JOIN said s ON s.call_id = a.call_id, run r
WHERE r.reads = 'positions' AND a.outcome = 'success' AND a.operation IN ('freeze', 'unfreeze', 'close', 'balance')
  AND (a.position IS NULL OR a.position < b.position)
UNION ALL
SELECT a.account, NULL, a.call_id, concat(s.words, ' at position ', a.position, ', but the log ends at ', h.position)
FROM answers a JOIN said s USING (call_id), (SELECT max(position) AS position FROM positions WHERE name = 'head') h
WHERE a.position > h.position
