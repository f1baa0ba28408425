-- Selects decisions by the transaction ids $1, or by the idempotency keys $3 of the owners $2.
SELECT transaction_id, kind, from_account, to_account, amount_micros, currency, reason, refused_by,
       first_position, last_position, idempotency_key, fingerprint, at
FROM decisions WHERE transaction_id = ANY($1::uuid[])
UNION ALL
SELECT d.transaction_id, d.kind, d.from_account, d.to_account, d.amount_micros, d.currency, d.reason,
       d.refused_by, d.first_position, d.last_position, d.idempotency_key, d.fingerprint, d.at
FROM unnest($2::text[], $3::text[]) AS k(owner, key)
JOIN decisions AS d ON d.owner = k.owner AND d.idempotency_key = k.key
