-- Returns the row of transfer $1 in the saga log.
SELECT transfer_id, kind, state, from_account, to_account, amount_micros, currency, idempotency_key,
       fingerprint, reason, started_at, ended_at
FROM transfers
WHERE transfer_id = $1
