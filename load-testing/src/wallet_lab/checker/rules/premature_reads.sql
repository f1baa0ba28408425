-- rule: no answer is newer than what clients had sent
-- lie: a read that shows a change before its request was sent
SELECT a.account, NULL AS transaction_id, a.call_id, concat(s.words, ' with version ', a.version,
       ', but only versions up to ', w.high, ' had been sent') AS sentence
FROM answers a JOIN windows w ON w.call_id = a.call_id AND w.account = a.account JOIN said s ON s.call_id = a.call_id
WHERE a.outcome = 'success' AND a.version > w.high
