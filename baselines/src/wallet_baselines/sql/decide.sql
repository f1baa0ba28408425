-- Records the coordinator's decision $12 and the transfer $1-$11, as one transaction that a lookup can wait for. The
-- primary key of decisions lets only the first decision about a transfer in.
WITH decision AS (
    INSERT INTO decisions (transaction_id, outcome) SELECT $1::uuid, $12::text FROM pg_advisory_xact_lock_shared(1)
)
INSERT INTO transfers (transaction_id, kind, from_account, to_account, amount_micros, currency, idempotency_key,
                       fingerprint, reason, refused_by, at)
VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
