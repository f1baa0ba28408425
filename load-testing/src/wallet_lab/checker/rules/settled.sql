-- rule: all work has ended
-- lie: a transfer that stays open, a follower of the log that stops, or evidence that is not of one run
SELECT NULL AS account, NULL AS transaction_id, NULL AS call_id, 'open work did not end in time' AS sentence
FROM run WHERE settled_us IS NULL
UNION ALL
SELECT payer, transaction_id, NULL, concat('transfer ', transaction_id, ' of ', amount_micros, ' micros from ', payer, ' to ', payee,
       ' has not ended') FROM transfers WHERE state = 'pending'
UNION ALL
SELECT NULL, NULL, NULL, concat(p.name, ' is at position ', p.position, ' of ', h.position,
       CASE WHEN p.stopped IS NOT NULL THEN concat('; it is stopped: ', p.stopped) END)
FROM positions p, (SELECT max(position) AS position FROM positions WHERE name = 'head') h
WHERE p.stopped IS NOT NULL OR (p.must_be_at_head AND p.position <> h.position) OR p.position > h.position
UNION ALL
SELECT NULL, NULL, NULL, concat('the evidence is of ', count(*), ' runs') FROM run HAVING count(*) <> 1
