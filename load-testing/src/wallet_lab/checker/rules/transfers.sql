-- rule: every stored transfer is whole
-- lie: a changed state, reason, owner, key, fingerprint or currency of a transfer; a second row with the same id or key
SELECT t.owner AS account, t.transaction_id, NULL AS call_id, concat(t.kind, ' ', t.transaction_id, ' is ', t.state, ' for reason ',
       coalesce(t.reason, 'none'), ', from ', t.payer, ' to ', t.payee, ', ', t.currency, ', owner ', t.owner, ', refused by ', coalesce(t.refused_by, 'none'),
       ', key ', coalesce(t.key, 'none'), ', fingerprint ', coalesce(t.fingerprint, 'none'), ', end ', coalesce(t.ended_us::VARCHAR, 'none'),
       ', which is no whole transfer') AS sentence
FROM transfers t LEFT JOIN accounts p ON p.account = t.payer LEFT JOIN accounts q ON q.account = t.payee
WHERE (t.state IN ('refused', 'refunded')) <> (t.reason IS NOT NULL)
   OR (t.refused_by IS NOT NULL AND (t.reason IS NULL OR t.refused_by NOT IN (t.payer, t.payee) OR t.refused_by = '@external'))
   OR t.owner <> CASE WHEN t.kind IN ('transfer', 'withdrawal') THEN t.payer ELSE t.payee END
   OR (t.key IS NULL) <> (t.fingerprint IS NULL)
   OR (t.kind IN ('opening', 'deposit')) <> (t.payer = '@external') OR (t.kind = 'withdrawal') <> (t.payee = '@external')
   OR t.payer = t.payee OR t.amount_micros < 0 OR (t.amount_micros = 0 AND t.kind <> 'opening')
   OR (t.state IN ('completed', 'refunded', 'pending') AND p.currency <> t.currency)
   OR (t.state = 'completed' AND q.currency <> t.currency)
   OR (t.state = 'completed' AND t.ended_us IS NULL AND t.first_position IS NULL)
   OR (t.state IN ('refused', 'refunded') AND t.ended_us IS NULL AND t.last_position IS NULL)
UNION ALL
SELECT NULL, transaction_id, NULL, concat('the books have ', count(*), ' transfers with the id ', transaction_id)
FROM transfers GROUP BY transaction_id HAVING count(*) > 1
UNION ALL
SELECT owner, min(transaction_id), NULL, concat('key ', key, ' of wallet ', owner, ' belongs to ', count(*), ' transfers, such as ', min(transaction_id))
FROM transfers WHERE key IS NOT NULL GROUP BY owner, key HAVING count(*) > 1
UNION ALL
SELECT t.owner, t.transaction_id, NULL, concat(t.kind, ' ', t.transaction_id, ' of wallet ', t.owner, ' with key ', t.key, ' has the fingerprint ', t.fingerprint,
       ', but that of its meaning is ', m.fingerprint)
FROM transfers t JOIN (
    SELECT *, fingerprint_of(kind, payee, amount_micros, currency) AS fingerprint
    FROM (SELECT DISTINCT kind, CASE kind WHEN 'transfer' THEN payee ELSE '' END AS payee, amount_micros, currency
          FROM transfers WHERE fingerprint IS NOT NULL)
) m ON (m.kind, m.payee, m.amount_micros, m.currency) = (t.kind, CASE t.kind WHEN 'transfer' THEN t.payee ELSE '' END, t.amount_micros, t.currency)
WHERE t.fingerprint <> m.fingerprint
