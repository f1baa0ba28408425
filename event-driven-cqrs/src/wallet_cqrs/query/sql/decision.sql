-- Selects the decision on transaction $1.
SELECT transaction_id, kind, from_account, to_account, amount_micros, currency, reason, refused_by,
       first_position, last_position, idempotency_key, fingerprint, at
FROM decisions
WHERE transaction_id = $1
