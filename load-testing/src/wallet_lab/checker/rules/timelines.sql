-- rule: every timeline has the steps of the books
-- lie: a step in the timeline of GET /transfers/{id} that is missing, invented, or has another name, time, order or reason
-- needs: books
-- A transfer that has not ended shows its first steps. All steps that the status of the answer needs must be there.
WITH asked_for AS (
    SELECT DISTINCT t.* FROM transfers t JOIN lookups l USING (transaction_id)
), moments_of AS (
    SELECT transaction_id, kind, 1 AS place, CASE state WHEN 'refused' THEN 'refused' ELSE 'started' END AS moment, started_us AS at_us,
           CASE state WHEN 'refused' THEN reason END AS reason FROM asked_for
    UNION ALL
    SELECT transaction_id, t.kind, CASE WHEN p.account = t.payer THEN 1 ELSE 2 END, CASE WHEN p.account = t.payer THEN 'paid' ELSE 'received' END,
           p.at_us, NULL FROM asked_for t JOIN postings p USING (transaction_id) WHERE p.kind <> 'refund'
    UNION ALL
    SELECT transaction_id, t.kind, 2, CASE WHEN c.reason IS NULL THEN 'credited' ELSE 'credit-refused' END, c.at_us, c.reason
    FROM asked_for t JOIN credits c USING (transaction_id)
    UNION ALL -- without a barrier row, the credit was in the transaction of the debit (credits.sql checks this)
    SELECT transaction_id, kind, 2, 'credited', started_us, NULL FROM asked_for
    WHERE state = 'completed' AND NOT EXISTS (SELECT 1 FROM credits c WHERE c.transaction_id = asked_for.transaction_id)
    UNION ALL
    SELECT transaction_id, kind, 3, state, ended_us, NULL FROM asked_for WHERE state IN ('completed', 'refunded')
), steps AS (
    SELECT m.*, s.step, row_number() OVER (PARTITION BY transaction_id ORDER BY place) AS number
    FROM moments_of m JOIN timeline_steps s USING (moment, kind)
), expected AS (
    SELECT l.call_id, l.status, s.number, s.step, s.at_us, s.reason, s.place FROM lookups l JOIN steps s USING (transaction_id)
), compared AS (
    SELECT coalesce(e.call_id, a.call_id) AS call_id, coalesce(e.number, a.number) AS number, e.status, e.place, e.step AS true_step,
           e.at_us AS true_at_us, e.reason AS true_reason, a.step, a.at_us, a.reason
    FROM expected e FULL JOIN lookup_steps a ON a.call_id = e.call_id AND a.number = e.number
)
SELECT a.account, a.transaction_id_asked AS transaction_id, a.call_id, concat(s.words, ', with ',
       CASE WHEN c.step IS NULL THEN 'nothing' ELSE concat(c.step, ' at ', c.at_us, ' us', coalesce(' for ' || c.reason, '')) END,
       ' as step ', c.number, ' of its timeline, but the books have ',
       CASE WHEN c.true_step IS NULL THEN 'nothing' ELSE concat(c.true_step, ' at ', c.true_at_us, ' us', coalesce(' for ' || c.true_reason, '')) END) AS sentence
FROM compared c JOIN answers a USING (call_id) JOIN said s USING (call_id)
WHERE CASE WHEN c.step IS NULL THEN c.place <= CASE c.status WHEN 'pending' THEN 1 WHEN 'success' THEN 2 ELSE 3 END
    ELSE (c.step, c.at_us, c.reason) IS DISTINCT FROM (c.true_step, c.true_at_us, c.true_reason) END
