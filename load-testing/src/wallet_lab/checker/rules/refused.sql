-- rule: no refused transfer happened
-- lie: a refused, invalid or rejected call that moved money; a refusal with another reason
SELECT r.owner AS account, t.transaction_id, r.call_id, concat(s.words, ', but ', CASE
    WHEN t.transaction_id IS NULL THEN 'the books have no such transaction'
    ELSE concat('the books have ', t.transaction_id, ' as ', t.state, coalesce(' for ' || t.reason, ''), ', a ', t.kind, ' of ',
                t.amount_micros, ' micros from ', t.payer, ' to ', t.payee)
END) AS sentence
FROM resolved r LEFT JOIN transfers t ON t.transaction_id = r.resolved_id JOIN said s ON s.call_id = r.call_id
WHERE CASE r.outcome
    WHEN 'refused' THEN r.transaction_id IS NULL OR t.transaction_id IS DISTINCT FROM r.transaction_id
        OR t.state NOT IN ('refused', 'refunded') OR t.reason IS DISTINCT FROM r.problem
        OR (r.kind, r.payer, r.payee, r.amount_micros, r.currency, r.key)
            IS DISTINCT FROM (t.kind, t.payer, t.payee, t.amount_micros, t.currency, t.key)
    WHEN 'rejected' THEN t.transaction_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM claims c WHERE c.transaction_id = t.transaction_id)
    WHEN 'invalid' THEN r.key IS NULL AND t.transaction_id IS NOT NULL
    ELSE false
END
