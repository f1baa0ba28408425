-- Decisions under the transaction ids $1, or under the idempotency keys $3 of the owners $2.
SELECT * FROM decisions WHERE transaction_id = ANY($1::uuid[])
UNION ALL
SELECT d.*
FROM unnest($2::text[], $3::text[]) AS k(owner, key)
JOIN decisions AS d ON d.owner = k.owner AND d.idempotency_key = k.key
