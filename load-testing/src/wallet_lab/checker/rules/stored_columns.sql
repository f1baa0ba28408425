-- rule: every row stores its columns
-- lie: a value that is removed
-- needs: books
-- Each holder stores the same columns in all its rows, and each table of the books too.
WITH nullable AS (
    SELECT holder, account, unnest([
        {'name': 'shard', 'is_null': shard IS NULL}, {'name': 'currency', 'is_null': currency IS NULL},
        {'name': 'status', 'is_null': status IS NULL}, {'name': 'in_flight_micros', 'is_null': in_flight_micros IS NULL},
        {'name': 'updated_us', 'is_null': updated_us IS NULL}, {'name': 'position', 'is_null': position IS NULL},
        {'name': 'epoch', 'is_null': epoch IS NULL}, {'name': 'expires_us', 'is_null': expires_us IS NULL}
    ]) AS c FROM wallets
)
SELECT n.account, NULL AS transaction_id, NULL AS call_id, concat(n.holder, ' has ', CASE WHEN n.c.is_null THEN 'no ' ELSE 'a ' END, n.c.name, ' of wallet ', n.account) AS sentence
FROM nullable n JOIN holders h USING (holder)
WHERE n.c.is_null = list_contains(string_split(h.stores, ' '), n.c.name)
UNION ALL
SELECT account, transaction_id, NULL, concat('version ', version, ' of wallet ', account, ' lacks its shard, position, balance or currency, which other postings store')
FROM postings, (SELECT bool_or(shard IS NOT NULL) AS shards, bool_or(position IS NOT NULL) AS positions, bool_or(balance_micros IS NOT NULL) AS balances,
                       bool_or(currency IS NOT NULL) AS currencies FROM postings) other
WHERE (shard IS NULL AND shards) OR (position IS NULL AND positions) OR (balance_micros IS NULL AND balances)
   OR (currency IS NULL AND currencies AND kind = 'opening')
UNION ALL
SELECT owner, transaction_id, NULL, concat(kind, ' ', transaction_id, ' lacks its shard, position or the wallet that refused, which other transfers store')
FROM transfers, (SELECT bool_or(shard IS NOT NULL) AS shards, bool_or(last_position IS NOT NULL) AS positions, bool_or(refused_by IS NOT NULL) AS refusers FROM transfers) other
WHERE (shard IS NULL AND shards) OR (last_position IS NULL AND positions) OR (refused_by IS NULL AND refusers AND reason IS NOT NULL)
