-- rule: every refusal had its reason
-- lie: a refusal although the wallet had enough, was open and existed
-- The versions from `low` to `high` are those that the wallet can have had while the call was under way.
WITH refusals AS (
    SELECT a.call_id, a.operation, a.problem, a.amount_micros, a.currency, a.account, a.counterparty FROM answers a
    WHERE a.outcome = 'refused' AND a.operation NOT IN ('lookup', 'balance', 'balance_at', 'statement')
), versions AS (
    SELECT w.call_id, w.account, b.balance, b.status_after AS status, b.wallet_currency AS currency
    FROM refusals r JOIN windows w USING (call_id) JOIN book b ON b.account = w.account AND b.version BETWEEN w.low AND w.high, run
    WHERE b.at_us <= w.answered_us + run.clock_skew_us
    UNION ALL
    SELECT w.call_id, w.account, 0, 'absent', NULL FROM refusals r JOIN windows w USING (call_id) WHERE w.low = 0
), outgoing AS (
    SELECT payer AS account, sum(amount_micros) AS micros FROM transfers WHERE kind = 'transfer' AND state <> 'refused' GROUP BY payer
), undecided AS ( -- the closings during which a transfer of the wallet was not decided
    SELECT DISTINCT r.call_id
    FROM refusals r JOIN windows w USING (call_id) JOIN transfers t ON t.payer = w.account LEFT JOIN claims c USING (transaction_id), run
    WHERE r.problem = 'wallet-not-empty' AND t.kind = 'transfer' AND t.state <> 'refused'
      AND t.started_us <= w.answered_us + run.clock_skew_us
      AND (t.state = 'pending' OR least(c.latest_us, coalesce(t.ended_us, t.started_us) + run.clock_skew_us) >= w.sent_us)
), possible AS (
    SELECT r.call_id, bool_or(CASE r.problem
        WHEN 'wallet-not-found' THEN v.status = 'absent'
        WHEN 'wallet-exists' THEN v.status <> 'absent'
        WHEN 'wallet-frozen' THEN v.status = 'frozen'
        WHEN 'wallet-closed' THEN v.status = 'closed'
        WHEN 'currency-mismatch' THEN v.currency <> r.currency
        WHEN 'insufficient-funds' THEN v.account = r.account AND v.status = 'active' AND v.balance < r.amount_micros
        WHEN 'wallet-not-empty' THEN v.balance > 0 OR u.call_id IS NOT NULL
        -- Money in flight counts against the limit, so all that the wallet ever paid is an upper bound.
        WHEN 'balance-limit' THEN v.balance + r.amount_micros + coalesce(o.micros, 0) > 9223372036854775807
        ELSE false END) AS possible
    FROM refusals r LEFT JOIN versions v ON v.call_id = r.call_id LEFT JOIN outgoing o ON o.account = v.account
    LEFT JOIN undecided u ON u.call_id = r.call_id
    GROUP BY r.call_id
)
SELECT r.account, NULL AS transaction_id, r.call_id, concat(s.words, ', but ', string_agg(concat('wallet ', w.account,
       ' had versions ', w.low, ' to ', w.high, ' meanwhile'), ' and ' ORDER BY w.account), ', and this reason fits none of them') AS sentence
FROM refusals r JOIN possible p USING (call_id) JOIN said s USING (call_id) LEFT JOIN windows w USING (call_id)
WHERE NOT coalesce(p.possible, false) GROUP BY r.account, r.call_id, s.words
