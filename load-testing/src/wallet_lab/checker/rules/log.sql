-- rule: positions have no gaps and follow the versions
-- lie: an event that is missing, added or moved in the log; a decision that names other events
-- needs: books
WITH numbered AS (SELECT account, version, transaction_id, position, row_number() OVER (ORDER BY position) AS number FROM postings WHERE position IS NOT NULL)
SELECT account, transaction_id, NULL AS call_id, concat('event number ', number, ', version ', version, ' of wallet ', account, ', has position ', position) AS sentence
FROM numbered WHERE number <> position
UNION ALL
SELECT NULL, NULL, NULL, concat('the log has ', count(p.position), ' events up to position ', coalesce(max(p.position), 0), ', but its head is at ', h.position)
FROM positions h LEFT JOIN postings p ON p.position IS NOT NULL WHERE h.name = 'head' GROUP BY h.position
HAVING count(p.position) <> h.position OR coalesce(max(p.position), 0) <> h.position
UNION ALL
SELECT NULL, NULL, NULL, concat('the log has ', count(*), ' events, but no head') FROM postings WHERE position IS NOT NULL
HAVING count(*) > 0 AND NOT EXISTS (SELECT 1 FROM positions WHERE name = 'head')
UNION ALL
SELECT account, transaction_id, NULL, concat('version ', version, ' of wallet ', account, ' has position ', position, ', after version ', version - 1, ' at ', earlier)
FROM (SELECT *, lag(position) OVER (PARTITION BY account ORDER BY version) AS earlier FROM postings) WHERE position < earlier
UNION ALL
SELECT t.owner, t.transaction_id, NULL, concat(t.kind, ' ', t.transaction_id, ' names positions ', coalesce(t.first_position::VARCHAR, 'none'), ' to ', t.last_position,
       ', but its events have ', coalesce(p.first::VARCHAR, 'none'), ' to ', coalesce(p.last::VARCHAR, 'none'))
FROM transfers t LEFT JOIN (SELECT transaction_id, min(position) AS first, max(position) AS last FROM postings GROUP BY transaction_id) p USING (transaction_id)
WHERE t.last_position IS NOT NULL AND (t.first_position IS DISTINCT FROM p.first
    OR (t.state <> 'refused' AND t.last_position IS DISTINCT FROM p.last))
UNION ALL -- decisions are made in the order of the log, so their times and positions agree
SELECT owner, transaction_id, NULL, concat('refusal ', transaction_id, ' of ', started_us, ' us names the head ', last_position, ', but position ', last_position,
       coalesce(' is of ' || here || ' us', ' does not exist'), coalesce(' and the next is of ' || next || ' us', ''))
FROM (
    SELECT t.owner, t.transaction_id, t.started_us, t.last_position, p.at_us AS here, q.at_us AS next
    FROM transfers t LEFT JOIN postings p ON p.position = t.last_position LEFT JOIN postings q ON q.position = t.last_position + 1
    WHERE t.state = 'refused' AND t.last_position IS NOT NULL
), run r WHERE (last_position > 0 AND here IS NULL) OR here > started_us + r.clock_skew_us OR next < started_us - r.clock_skew_us
