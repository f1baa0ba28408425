-- Every call that asks to move money, with its meaning. Calls with one key of one wallet are one intent.
CREATE TABLE asked AS
SELECT call_id, sent_us, answered_us, outcome, transaction_id, key, account AS owner, replayed, problem,
       coalesce('key ' || key || ' of ' || account, 'call ' || call_id) AS intent,
       CASE operation WHEN 'open' THEN 'opening' WHEN 'withdraw' THEN 'withdrawal' ELSE operation END AS kind,
       CASE WHEN operation IN ('transfer', 'withdraw') THEN account ELSE '@external' END AS payer,
       CASE operation WHEN 'transfer' THEN counterparty WHEN 'withdraw' THEN '@external' ELSE account END AS payee,
       coalesce(amount_micros, 0) AS amount_micros, currency
FROM answers WHERE operation IN ('open', 'transfer', 'deposit', 'withdraw');

-- Unknown calls without key and id are resolved by their meaning: the n-th such call and the n-th unclaimed transfer. The
-- call of a transfer is this one or a later one, so the time that the call was sent is a lower bound.
CREATE TABLE resolved_by_meaning AS
WITH loose AS (
    SELECT call_id, kind, payer, payee, amount_micros, currency,
           row_number() OVER (PARTITION BY kind, payer, payee, amount_micros, currency ORDER BY sent_us) AS nth
    FROM asked WHERE key IS NULL AND transaction_id IS NULL AND outcome = 'unknown'
), unclaimed AS (
    SELECT transaction_id, kind, payer, payee, amount_micros, currency,
           row_number() OVER (PARTITION BY kind, payer, payee, amount_micros, currency ORDER BY started_us) AS nth
    FROM transfers t
    WHERE key IS NULL AND started_us >= (SELECT began_us - clock_skew_us FROM run)
      AND NOT EXISTS (SELECT 1 FROM asked a WHERE a.transaction_id = t.transaction_id)
      AND NOT EXISTS (SELECT 1 FROM book b WHERE b.transaction_id = t.transaction_id AND NOT b.in_run)
)
SELECT call_id, transaction_id FROM loose JOIN unclaimed USING (kind, payer, payee, amount_micros, currency, nth);

-- The transaction of each call: by key, else by the id in its answer, else by its meaning.
CREATE TABLE resolved AS
SELECT a.*, coalesce(k.transaction_id, a.transaction_id, m.transaction_id) AS resolved_id
FROM asked a
LEFT JOIN transfers k ON k.owner = a.owner AND k.key = a.key
LEFT JOIN resolved_by_meaning m ON m.call_id = a.call_id;

-- The calls that can have caused each transaction: same meaning, and not an answer that says "nothing was decided".
CREATE TABLE claims AS
SELECT t.transaction_id, min(r.intent) AS intent, count(DISTINCT r.intent) AS intents, min(r.call_id) AS call_id,
       min(r.sent_us) AS earliest_us,
       min(r.answered_us) FILTER (WHERE r.outcome IN ('success', 'refused')) AS latest_us,
       min(r.answered_us) FILTER (WHERE r.outcome IN ('success', 'refused', 'pending')) AS recorded_us
FROM transfers t JOIN resolved r ON r.resolved_id = t.transaction_id
WHERE r.outcome NOT IN ('invalid', 'rejected')
  AND (r.kind, r.payer, r.payee, r.amount_micros, r.currency) = (t.kind, t.payer, t.payee, t.amount_micros, t.currency)
GROUP BY t.transaction_id;
