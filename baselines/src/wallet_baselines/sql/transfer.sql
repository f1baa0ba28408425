-- Returns transfer $1.
SELECT transaction_id, kind, from_account, to_account, amount_micros, currency, idempotency_key, fingerprint, reason,
       refused_by, at
FROM transfers
WHERE transaction_id = $1
