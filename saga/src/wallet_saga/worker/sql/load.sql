-- Everything a batch of steps works on, in one round trip, read after the writer's lock was taken.
-- $1 accounts, $2 transfer ids to find in the saga log, $3/$4 owners and their idempotency keys,
-- $5 transfer ids to find in the credit barrier.
SELECT
    clock_timestamp() AS now,
    ARRAY(
        SELECT w FROM wallets w WHERE w.account_id = ANY($1::text[])
    ) AS wallets,
    ARRAY(
        SELECT t FROM transfers t WHERE t.transfer_id = ANY($2::uuid[])
        UNION ALL
        SELECT t FROM unnest($3::text[], $4::text[]) AS k(owner, key)
        JOIN transfers t ON t.owner = k.owner AND t.idempotency_key = k.key
    ) AS transfers,
    ARRAY(
        SELECT c FROM credits c WHERE c.transfer_id = ANY($5::uuid[])
    ) AS credits
