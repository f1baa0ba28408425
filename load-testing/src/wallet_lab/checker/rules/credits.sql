-- rule: the credit barrier agrees with every transfer
-- lie: a credit that is missing, was not sent, has another outcome, or is on another shard
-- needs: books
-- A completed transfer within one shard is one transaction, so it begins and ends at the same time and has no barrier row.
WITH expected AS (
    SELECT transaction_id, payee, CASE state WHEN 'refunded' THEN reason END AS reason, started_us, ended_us FROM transfers
    WHERE kind = 'transfer' AND (state = 'refunded' OR state = 'completed' AND NOT coalesce(ended_us = started_us
        AND (SELECT owner FROM homes WHERE account = payer) = (SELECT owner FROM homes WHERE account = payee), false))
), has_barrier AS (SELECT count(*) > 0 AS yes FROM timeline_steps WHERE moment = 'credited')
SELECT e.payee AS account, coalesce(c.transaction_id, e.transaction_id) AS transaction_id, NULL AS call_id,
       concat('the barrier has for transfer ', coalesce(c.transaction_id, e.transaction_id), ' ',
           CASE WHEN c.transaction_id IS NULL THEN 'nothing' ELSE concat(coalesce(c.reason, 'credited'), ' at ', c.at_us, ' us on shard ', c.shard) END,
           ', but its transfer ', CASE WHEN e.transaction_id IS NULL THEN 'does not exist or has no credit step' ELSE concat('must have ',
               coalesce(e.reason, 'credited'), ' on shard ', s.owner, ' from ', e.started_us, coalesce(' to ' || e.ended_us, ''), ' us') END) AS sentence
FROM expected e FULL JOIN (SELECT * FROM credits c WHERE NOT EXISTS (
    SELECT 1 FROM transfers t WHERE t.transaction_id = c.transaction_id AND t.state = 'pending')) c ON c.transaction_id = e.transaction_id
LEFT JOIN homes s ON s.account = e.payee, has_barrier
WHERE has_barrier.yes AND (c.transaction_id IS NULL OR e.transaction_id IS NULL OR c.reason IS DISTINCT FROM e.reason
    OR c.shard <> s.owner OR c.at_us > e.ended_us + (SELECT clock_skew_us FROM run) OR c.at_us < e.started_us - (SELECT clock_skew_us FROM run))
UNION ALL
SELECT NULL, transaction_id, NULL, concat('the barrier has ', count(*), ' rows for transfer ', transaction_id)
FROM credits GROUP BY transaction_id HAVING count(*) > 1
