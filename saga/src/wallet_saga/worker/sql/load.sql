-- Loads the rows of a batch that are not in the worker's memory, in one round trip. It waits while another session
-- holds the batch lock, so bulk loading also stops the steps that only read.
-- $1 accounts, $2 transfer ids in the saga log, $3/$4 owners and their idempotency keys,
-- $5 transfer ids in the credit barrier.
-- The columns are named, in the order of the records, so that a column that a later version adds has no effect here.
SELECT
    current_setting('transaction_read_only') = 'on' AS read_only,
    ARRAY(
        SELECT ROW(account_id, currency, status, balance_micros, in_flight_micros, version, updated_at)
        FROM wallets
        WHERE account_id = ANY($1::text[])
    ) AS wallets,
    ARRAY(
        SELECT ROW(transfer_id, kind, state, from_account, to_account, amount_micros, currency, idempotency_key,
                   fingerprint, reason, started_at, ended_at)
        FROM transfers
        WHERE transfer_id = ANY($2::uuid[])
        UNION ALL
        SELECT ROW(t.transfer_id, t.kind, t.state, t.from_account, t.to_account, t.amount_micros, t.currency,
                   t.idempotency_key, t.fingerprint, t.reason, t.started_at, t.ended_at)
        FROM unnest($3::text[], $4::text[]) AS k(owner, key)
        JOIN transfers t ON t.owner = k.owner AND t.idempotency_key = k.key
    ) AS transfers,
    ARRAY(
        SELECT ROW(transfer_id, reason, at)
        FROM credits
        WHERE transfer_id = ANY($5::uuid[])
    ) AS credits
FROM pg_advisory_xact_lock_shared(1)
