-- What a shard's books sum to by currency, and what of it is on its way to or from other shards, in one snapshot.
-- Wallets are summed before they meet the system accounts: bigints are cheap to add up, numerics are not.
SELECT currency, sum(total) AS imbalance_micros,
       coalesce(sum(total) FILTER (WHERE name = '@transit'), 0) AS in_transit_micros
FROM (
    SELECT '' AS name, currency, sum(balance_micros) AS total FROM wallets GROUP BY currency
    UNION ALL
    SELECT name, currency, balance_micros FROM system_accounts
) AS books
GROUP BY currency
