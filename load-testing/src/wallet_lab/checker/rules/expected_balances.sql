-- rule: every balance follows from the answers of its clients
-- lie: any sum that differs from the opening balance and the acknowledged amounts, for any reason in the books
-- Rebuilt from the calls alone. A call that is not certain widens the interval.
WITH effects AS (
    SELECT intent, payer AS account, -amount_micros AS micros, outcome FROM asked WHERE payer <> '@external'
    UNION ALL
    SELECT intent, payee, amount_micros, outcome FROM asked WHERE payee <> '@external'
), intents AS ( -- the calls of one key have one effect; another amount under the same key can only be one of both
    SELECT intent, account, bool_or(outcome = 'success') AS is_certain,
           coalesce(min(micros) FILTER (WHERE outcome = 'success'), least(min(micros), 0)) AS low,
           coalesce(max(micros) FILTER (WHERE outcome = 'success'), greatest(max(micros), 0)) AS high
    FROM effects WHERE outcome IN ('success', 'pending', 'unknown') GROUP BY intent, account
), moved AS (
    SELECT account, sum(low) AS low, sum(high) AS high FROM intents GROUP BY account
), ends AS (
    SELECT a.account, f.balance, coalesce(b.balance, 0) AS started
    FROM accounts a JOIN starts s USING (account) JOIN book f ON f.account = a.account AND f.version = a.version
    LEFT JOIN book b ON b.account = a.account AND b.version = s.version
)
SELECT e.account, NULL AS transaction_id, NULL AS call_id, concat('wallet ', e.account, ' holds ', e.balance, ' micros; it began with ', e.started,
       ', and by the answers of its clients it must hold ', CASE WHEN coalesce(m.low, 0) = coalesce(m.high, 0)
           THEN concat(e.started + coalesce(m.low, 0))
           ELSE concat(e.started + coalesce(m.low, 0), ' to ', e.started + coalesce(m.high, 0)) END) AS sentence
FROM ends e LEFT JOIN moved m USING (account)
WHERE NOT e.balance BETWEEN e.started + coalesce(m.low, 0) AND e.started + coalesce(m.high, 0)
  AND (EXISTS (SELECT 1 FROM calls) OR EXISTS (SELECT 1 FROM baseline))
UNION ALL
SELECT m.account, NULL, NULL, concat('wallet ', m.account, ' does not exist, but the answers of its clients sum to ', m.low, ' to ', m.high, ' micros')
FROM moved m LEFT JOIN ends e USING (account) WHERE e.account IS NULL AND (m.low > 0 OR m.high < 0)
