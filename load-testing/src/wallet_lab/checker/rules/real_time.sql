-- rule: the books keep the order that clients saw
-- lie: a posting before the call that caused it, or after an answer that already showed it
SELECT m.account, m.transaction_id, c.call_id, concat('wallet ', m.account, ' had version ', m.version, ' by ', m.latest_us,
       ' us at the latest, because a client was answered, but the call of this or an earlier version was only sent at ', m.earliest_us,
       ' us') AS sentence
FROM moments m LEFT JOIN claims c USING (transaction_id)
WHERE m.earliest_us > m.latest_us
UNION ALL
SELECT m.account, m.transaction_id, c.call_id, concat('version ', m.version, ' of wallet ', m.account, ' is at position ', m.position, ', which existed by ', m.latest_us,
       ' us at the latest, because a client was answered, but the call of this or an earlier position was only sent at ', m.earliest_us, ' us')
FROM log_moments m LEFT JOIN claims c USING (transaction_id)
WHERE m.earliest_us > m.latest_us
