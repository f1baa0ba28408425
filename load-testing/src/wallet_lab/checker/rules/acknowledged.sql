-- rule: every acknowledged transfer is in the books once
-- lie: an acknowledged transfer that is lost, refused, or has other parties or another amount
SELECT r.owner AS account, r.transaction_id, r.call_id, concat(s.words, ', but ', CASE
    WHEN t.transaction_id IS NULL THEN 'the books have no such transaction'
    WHEN r.transaction_id IS NULL THEN 'the answer has no transaction'
    WHEN t.transaction_id <> r.transaction_id THEN concat('its key belongs to ', t.transaction_id)
    ELSE concat('the books have a ', t.kind, ' of ', t.amount_micros, ' micros ', t.currency, ' from ', t.payer, ' to ', t.payee,
                ', ', t.state)
END) AS sentence
FROM resolved r LEFT JOIN transfers t ON t.transaction_id = r.resolved_id JOIN said s ON s.call_id = r.call_id
WHERE r.outcome IN ('success', 'pending') AND (
    t.transaction_id IS NULL OR r.transaction_id IS NULL OR t.transaction_id <> r.transaction_id
    OR (r.kind, r.payer, r.payee, r.amount_micros, r.currency)
        IS DISTINCT FROM (t.kind, t.payer, t.payee, t.amount_micros, t.currency)
    OR r.key IS DISTINCT FROM t.key
    OR (r.outcome = 'success' AND t.state <> 'completed'))
