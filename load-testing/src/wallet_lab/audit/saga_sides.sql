-- check: paid
SELECT transfer_id, CASE state WHEN 'refunded' THEN 0 ELSE amount_micros END AS micros
FROM transfers WHERE kind = 'transfer' AND state <> 'refused'

-- check: credited
SELECT c.transfer_id, coalesce(l.micros, 0) AS micros
FROM credits c LEFT JOIN (
    SELECT transfer_id, sum(amount_micros)::bigint AS micros FROM ledger
    WHERE kind = 'transfer' AND amount_micros > 0 GROUP BY transfer_id
) AS l USING (transfer_id)
