-- rule: every transfer has exactly its postings
-- lie: a posting that is missing, doubled, or on another wallet; a swapped sign; another amount, kind or counterparty
WITH expected AS (
    SELECT transaction_id, payer AS account, -amount_micros AS amount_micros, kind, payee AS counterparty
    FROM transfers WHERE kind IN ('transfer', 'withdrawal') AND state <> 'refused'
    UNION ALL
    SELECT transaction_id, payee, amount_micros, kind, payer FROM transfers
    WHERE state = 'completed' AND kind <> 'withdrawal'
    UNION ALL
    SELECT transaction_id, payer, amount_micros, 'refund', payee FROM transfers WHERE state = 'refunded'
), actual AS (
    SELECT transaction_id, account, amount_micros, kind, counterparty FROM postings
    WHERE kind NOT IN ('frozen', 'unfrozen', 'closed')
), counted AS (
    SELECT transaction_id, account, amount_micros, kind, counterparty, sum(owed) AS owed, sum(found) AS found
    FROM (SELECT *, 1 AS owed, 0 AS found FROM expected UNION ALL SELECT *, 0, 1 FROM actual)
    GROUP BY ALL
)
SELECT c.account, c.transaction_id, l.call_id, concat('transaction ', coalesce(c.transaction_id, 'without id'),
       coalesce(', sent by call ' || l.call_id, ', which no call sent'), ', must have ', c.owed, ' but has ', c.found,
       ' postings of kind ', c.kind, ' with ', c.amount_micros, ' micros on ', c.account, ', counterparty ', c.counterparty) AS sentence
FROM counted c LEFT JOIN claims l ON l.transaction_id = c.transaction_id
LEFT JOIN transfers t ON t.transaction_id = c.transaction_id
WHERE c.owed <> c.found
  AND NOT (t.state IS NOT DISTINCT FROM 'pending' AND c.found = 1 AND c.owed = 0 AND c.account = t.payee)
