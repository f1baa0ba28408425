-- rule: every stored refusal had its reason
-- lie: a stored refusal whose reason the wallet did not give at that time
-- With a log, the state at the decision is known exactly. Else it lies between the times that the clocks allow.
WITH refusals AS (
    SELECT t.transaction_id, t.kind, t.payer, t.payee, t.owner, t.amount_micros, t.currency, t.reason, t.state, t.last_position, t.refused_by,
           CASE WHEN t.state = 'refunded' THEN coalesce(c.at_us, t.ended_us) ELSE t.started_us END AS at_us
    FROM transfers t LEFT JOIN credits c USING (transaction_id) WHERE t.reason IS NOT NULL
), parties AS (
    SELECT transaction_id, payer AS account, true AS pays FROM refusals WHERE payer <> '@external' AND state = 'refused'
    UNION ALL
    SELECT transaction_id, payee, false FROM refusals WHERE payee <> '@external'
), versions AS (
    SELECT p.transaction_id, p.account, p.pays, b.balance, b.status_after AS status, b.wallet_currency AS currency
    FROM parties p JOIN refusals f USING (transaction_id) JOIN book b USING (account), run r
    WHERE CASE WHEN f.last_position IS NOT NULL
        THEN b.position <= f.last_position AND coalesce(b.next_position > f.last_position, true)
        ELSE b.at_us <= f.at_us + r.clock_skew_us AND coalesce(b.next_us >= f.at_us - r.clock_skew_us, true) END
    UNION ALL
    SELECT p.transaction_id, p.account, p.pays, 0, 'absent', NULL
    FROM parties p JOIN refusals f USING (transaction_id) LEFT JOIN book b ON b.account = p.account AND b.version = 1, run r
    WHERE b.account IS NULL OR CASE WHEN f.last_position IS NOT NULL THEN b.position > f.last_position
        ELSE b.at_us >= f.at_us - r.clock_skew_us END
)
SELECT f.owner AS account, f.transaction_id, NULL AS call_id, concat(f.kind, ' ', f.transaction_id, ' of ', f.amount_micros, ' micros ', f.currency, ' from ', f.payer,
       ' to ', f.payee, ' is ', f.state, ' for ', f.reason, ', but no wallet gave that reason then') AS sentence
FROM refusals f LEFT JOIN versions v USING (transaction_id) LEFT JOIN (
    SELECT payer AS account, sum(amount_micros) AS micros FROM transfers WHERE kind = 'transfer' AND state <> 'refused' GROUP BY payer
) o ON o.account = v.account
GROUP BY ALL HAVING NOT coalesce(bool_or(coalesce(f.refused_by = v.account, true) AND CASE f.reason
    WHEN 'wallet-not-found' THEN v.status = 'absent' AND f.kind <> 'opening'
    WHEN 'wallet-exists' THEN v.status <> 'absent' AND f.kind = 'opening'
    WHEN 'wallet-frozen' THEN v.status = 'frozen' AND f.kind <> 'opening'
    WHEN 'wallet-closed' THEN v.status = 'closed' AND f.kind <> 'opening'
    WHEN 'currency-mismatch' THEN v.currency <> f.currency AND f.kind <> 'opening'
    WHEN 'insufficient-funds' THEN v.pays AND v.status = 'active' AND v.balance < f.amount_micros
    WHEN 'balance-limit' THEN NOT v.pays AND v.balance + f.amount_micros + coalesce(o.micros, 0) > 9223372036854775807
    ELSE false END), false)
UNION ALL -- the payer is asked first
SELECT f.owner, f.transaction_id, NULL, concat(f.kind, ' ', f.transaction_id, ' is refused by ', f.refused_by, ', but its payer ', f.payer, ' was ', b.status_after,
       ' with ', b.balance, ' micros ', b.wallet_currency)
FROM transfers f JOIN book b ON b.account = f.payer AND b.position <= f.last_position AND coalesce(b.next_position > f.last_position, true)
WHERE f.refused_by = f.payee AND f.kind = 'transfer'
  AND (b.status_after <> 'active' OR b.wallet_currency <> f.currency OR b.balance < f.amount_micros)
