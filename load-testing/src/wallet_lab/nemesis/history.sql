-- The calls of the load, with the staleness of reads. A read that misses acknowledged writes is stale by the time since
-- the oldest of their acknowledgements. `postings` says which version of a wallet each write made.
WITH done AS (
    SELECT c.*, r.outcome
    FROM calls c JOIN record r ON r.number = c.call_id
    WHERE list_contains($parts, c.part) AND c.answered_us <= $end_us
), acknowledged AS (
    SELECT p.account, p.version, min(c.answered_us) AS at_us
    FROM postings p JOIN calls c USING (transaction_id)
    WHERE c.operation = 'transfer' AND c.status = 201
    GROUP BY p.account, p.version
), stale AS (
    SELECT d.call_id, (d.sent_us - min(a.at_us)) / 1000 AS ms
    FROM done d JOIN acknowledged a ON a.account = d.account AND a.version > d.version AND a.at_us < d.sent_us
    WHERE d.operation = 'balance' AND d.status = 200
    GROUP BY d.call_id, d.sent_us
)
SELECT operation, account, counterparty, min_position IS NOT NULL, sent_us, answered_us, outcome,
       CASE WHEN operation = 'balance' AND status = 200 THEN coalesce(ms, 0) END
FROM done LEFT JOIN stale USING (call_id)
ORDER BY sent_us, call_id;
