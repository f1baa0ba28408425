-- Unfinished sagas whose lease has run out, leased anew: $1 how many, $2 for how long.
-- SKIP LOCKED lets several orchestrators recover at once without waiting for each other; now(), which does not move
-- within the statement, lets the index on leases find them.
UPDATE transfers AS t
SET lease_until = clock_timestamp() + $2
FROM (
    SELECT transfer_id FROM transfers
    WHERE state = 'debited' AND lease_until < now()
    ORDER BY lease_until
    LIMIT $1
    FOR UPDATE SKIP LOCKED
) AS abandoned
WHERE t.transfer_id = abandoned.transfer_id
RETURNING t.transfer_id, t.kind, t.state, t.from_account, t.to_account, t.amount_micros, t.currency, t.idempotency_key,
          t.fingerprint, t.reason, t.started_at, t.ended_at
