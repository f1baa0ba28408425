-- rule: money is conserved
-- lie: money that is made or destroyed, on any shard or between shards
-- needs: books
WITH held AS (
    SELECT wallet_currency AS currency, sum(amount_micros) AS micros FROM book GROUP BY ALL
), flying AS (
    SELECT currency, sum(amount_micros) AS micros FROM transfers WHERE state = 'pending' GROUP BY ALL
), outside AS (
    SELECT holder, currency, sum(balance_micros) FILTER (WHERE name = '@external') AS external,
           sum(balance_micros) FILTER (WHERE name = '@transit') AS transit
    FROM system_accounts GROUP BY ALL
)
SELECT NULL AS account, NULL AS transaction_id, NULL AS call_id, concat(o.holder, ', ', o.currency, ': all wallets hold ', coalesce(h.micros, 0),
       ' micros, open transfers ', coalesce(f.micros, 0), ', @transit ', coalesce(o.transit, 0), ', @external ', coalesce(o.external, 0),
       '; wallets, @transit and @external must sum to 0, and @transit must be what is in flight') AS sentence
FROM outside o LEFT JOIN held h USING (currency) LEFT JOIN flying f USING (currency)
WHERE coalesce(h.micros, 0) + coalesce(o.external, 0) + coalesce(o.transit, 0) <> 0
   OR coalesce(o.transit, 0) <> coalesce(f.micros, 0)
