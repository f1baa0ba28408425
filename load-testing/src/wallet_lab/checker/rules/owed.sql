-- rule: every transfer in the books was sent once
-- lie: a transfer or deposit that no client sent; a transfer that is applied twice, or under a second id
SELECT t.owner AS account, t.transaction_id, c.call_id, concat('the books have a ', t.kind, ' ', t.transaction_id, ' of ',
       t.amount_micros, ' micros from ', t.payer, ' to ', t.payee, ', ', t.state, ', but ',
       CASE WHEN c.transaction_id IS NULL THEN 'no client sent it' ELSE concat(c.intents, ' different requests got it, such as ', s.words) END)
       AS sentence
FROM transfers t
LEFT JOIN claims c USING (transaction_id)
LEFT JOIN (SELECT transaction_id, bool_or(in_run) AS in_run FROM book GROUP BY transaction_id) b USING (transaction_id)
LEFT JOIN said s ON s.call_id = c.call_id
WHERE (c.transaction_id IS NULL OR c.intents > 1)
  AND coalesce(b.in_run, t.started_us >= (SELECT began_us FROM run))
  AND (EXISTS (SELECT 1 FROM calls) OR EXISTS (SELECT 1 FROM baseline))
