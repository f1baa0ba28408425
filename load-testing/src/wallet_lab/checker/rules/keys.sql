-- rule: a key answers with its first request
-- lie: a repeated request that is done again, gets another answer or no mark, or is not refused although its body differs
SELECT r.owner AS account, t.transaction_id, r.call_id, concat(s.words, ', but its key came first with ', t.transaction_id, ', a ', t.kind, ' of ',
       t.amount_micros, ' micros ', t.currency, ' to ', t.payee) AS sentence
FROM resolved r JOIN transfers t ON t.owner = r.owner AND t.key = r.key JOIN said s ON s.call_id = r.call_id
WHERE CASE WHEN (r.kind, r.payer, r.payee, r.amount_micros, r.currency) = (t.kind, t.payer, t.payee, t.amount_micros, t.currency)
    THEN r.problem = 'idempotency-key-reused'
    ELSE r.outcome IN ('success', 'pending', 'refused') END
UNION ALL
SELECT r.owner, NULL, r.call_id, concat(s.words, ', but no other request with this key is in the books')
FROM resolved r JOIN said s ON s.call_id = r.call_id
WHERE r.problem = 'idempotency-key-reused' AND NOT EXISTS (SELECT 1 FROM transfers t WHERE t.owner = r.owner AND t.key = r.key)
UNION ALL
SELECT r.owner, r.resolved_id, r.call_id, concat(s.words, ' as a replay, but no earlier call had this key')
FROM resolved r JOIN said s ON s.call_id = r.call_id JOIN answers a ON a.call_id = r.call_id
WHERE r.replayed AND NOT a.may_be_resent AND r.key IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM asked o WHERE o.intent = r.intent AND o.call_id <> r.call_id AND o.sent_us <= r.answered_us)
UNION ALL
SELECT a.account, NULL, a.call_id, concat(s.words, ' as a replay, but the call has no key')
FROM answers a JOIN said s USING (call_id) WHERE a.replayed AND a.key IS NULL
UNION ALL -- only the call that made the decision is answered without Idempotent-Replayed
SELECT min(r.owner), r.transaction_id, max(r.call_id), concat(count(*), ' calls with one key were answered with ', r.transaction_id,
       ' as if each was the first, such as ', max_by(s.words, s.call_id))
FROM resolved r JOIN said s USING (call_id)
WHERE r.key IS NOT NULL AND NOT r.replayed AND r.outcome IN ('success', 'pending', 'refused') AND r.transaction_id IS NOT NULL
GROUP BY r.intent, r.transaction_id HAVING count(*) > 1
