-- Returns a time such that every later posting of wallet $1 is later than it. The lock waits for a transaction that has
-- already chosen the time of its posting and has not ended.
SELECT statement_timestamp()
FROM (SELECT) AS always LEFT JOIN (SELECT FROM wallets WHERE account_id = $1 FOR SHARE) AS locked ON true
