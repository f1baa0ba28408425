-- Returns up to $2 unfinished sagas of payer $1. It reads all unfinished sagas of the shard through their index, because
-- a separate index would cost every debit more than it saves the few close requests.
SELECT transfer_id, kind, state, from_account, to_account, amount_micros, currency, idempotency_key,
       fingerprint, reason, started_at, ended_at
FROM transfers
WHERE state = 'debited' AND from_account = $1 LIMIT $2
