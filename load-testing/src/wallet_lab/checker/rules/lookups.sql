-- rule: every looked-up transfer is that of the books
-- lie: GET /transfers/{id} that shows other parties, another amount, state or reason, or hides a transfer
SELECT a.account, a.transaction_id_asked AS transaction_id, a.call_id, concat(s.words, ' as ', l.status, ' of ', l.amount_micros, ' micros ', l.currency, ' from ', l.payer,
       ' to ', l.payee, coalesce(' for ' || l.reason, ''), ', but the books have ', CASE WHEN t.transaction_id IS NULL THEN 'no such transaction'
           ELSE concat(t.state, ' of ', t.amount_micros, ' micros ', t.currency, ' from ', t.payer, ' to ', t.payee, coalesce(' for ' || t.reason, '')) END) AS sentence
FROM lookups l JOIN answers a USING (call_id) JOIN said s USING (call_id) LEFT JOIN transfers t ON t.transaction_id = a.transaction_id_asked
LEFT JOIN claims c ON c.transaction_id = t.transaction_id
WHERE (l.transaction_id, l.payer, l.payee, l.amount_micros, l.currency)
        IS DISTINCT FROM (t.transaction_id, t.payer, t.payee, t.amount_micros, t.currency)
   OR NOT CASE l.status
        WHEN 'success' THEN t.state = 'completed' AND l.reason IS NULL
        WHEN 'refused' THEN t.state IN ('refused', 'refunded') AND l.reason IS NOT DISTINCT FROM t.reason
        WHEN 'pending' THEN l.reason IS NULL AND NOT coalesce(c.latest_us < a.sent_us, false)
        ELSE false END
UNION ALL
SELECT a.account, c.transaction_id, a.call_id, concat(s.words, ', but the transfer was answered at ', c.recorded_us, ' us, before the call was sent')
FROM answers a JOIN said s USING (call_id) JOIN claims c ON c.transaction_id = a.transaction_id_asked
WHERE a.operation = 'lookup' AND a.problem = 'transfer-not-found' AND c.recorded_us < a.sent_us
UNION ALL
SELECT a.account, a.transaction_id_asked, a.call_id, concat(s.words, ' with a body that is not a transfer')
FROM answers a JOIN said s USING (call_id)
WHERE a.operation = 'lookup' AND a.outcome = 'success' AND NOT EXISTS (SELECT 1 FROM lookups l WHERE l.call_id = a.call_id)
