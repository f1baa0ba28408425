-- Sums a shard's books by currency, and the part in transit to or from other shards, in one snapshot. Sums the wallets
-- before it adds the system accounts, because sums of bigints are cheaper than sums of numerics.
SELECT currency, sum(total) AS imbalance_micros,
       coalesce(sum(total) FILTER (WHERE name = '@transit'), 0) AS in_transit_micros
FROM (
    SELECT '' AS name, currency, sum(balance_micros) AS total FROM wallets GROUP BY currency
    UNION ALL
    SELECT name, currency, balance_micros FROM system_accounts
) AS books
GROUP BY currency
