-- rule: no answer is newer than the requests that clients had sent
-- lie: a read that shows a change before its request was sent
SELECT a.account, NULL AS transaction_id, a.call_id, concat(s.words, ' with version ', a.version,
       ', but only versions up to ', w.high, ' had been sent') AS sentence
FROM answers a JOIN windows w ON w.call_id = a.call_id AND w.account = a.account JOIN said s ON s.call_id = a.call_id
WHERE a.outcome = 'success' AND a.version > w.high
UNION ALL
SELECT a.account, NULL, a.call_id, concat(s.words, ' at position ', a.position, ', but the call of that position was only sent at ', m.earliest_us, ' us')
FROM answers a JOIN log_moments m ON m.position = a.position JOIN said s ON s.call_id = a.call_id
WHERE m.earliest_us > a.answered_us
