-- Leases up to $1 unfinished sagas whose lease expired at least $3 ago, for the time $2.
-- SKIP LOCKED lets several orchestrators claim at the same time without waiting for each other. The condition uses
-- now(), because it is constant within the statement, so that Postgres can use the index on leases.
UPDATE transfers AS t
SET lease_until = clock_timestamp() + $2
FROM (
    SELECT transfer_id FROM transfers
    WHERE state = 'debited' AND lease_until < now() - $3::interval
    ORDER BY lease_until
    LIMIT $1
    FOR UPDATE SKIP LOCKED
) AS abandoned
WHERE t.transfer_id = abandoned.transfer_id
RETURNING t.transfer_id, t.kind, t.state, t.from_account, t.to_account, t.amount_micros, t.currency, t.idempotency_key,
          t.fingerprint, t.reason, t.started_at, t.ended_at
