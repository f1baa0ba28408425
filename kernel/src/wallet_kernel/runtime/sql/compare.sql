-- Compares up to $2 wallets after $1 with their postings, in one snapshot: the last posting must contain the wallet's
-- balance and follow from the posting before it. This costs two index lookups per wallet, however many postings it has.
SELECT count(*) AS wallets, max(account_id) AS last, count(*) FILTER (WHERE NOT explained) AS unexplained,
       (array_agg(account_id) FILTER (WHERE NOT explained))[1:10] AS examples
FROM (
    SELECT w.account_id,
           w.balance_micros = coalesce(p.balance_micros, 0)
           AND w.version >= coalesce(p.version, 0)
           AND coalesce(p.balance_micros - coalesce(before.balance_micros, 0) = p.amount_micros, true) AS explained
    FROM (
        SELECT account_id, balance_micros, version FROM wallets WHERE account_id > $1 ORDER BY account_id LIMIT $2
    ) AS w
    LEFT JOIN LATERAL (
        SELECT version, amount_micros, balance_micros FROM {postings}
        WHERE account_id = w.account_id ORDER BY version DESC LIMIT 1
    ) AS p ON true
    LEFT JOIN LATERAL (
        SELECT balance_micros FROM {postings}
        WHERE account_id = w.account_id AND version < p.version ORDER BY version DESC LIMIT 1
    ) AS before ON true
) AS compared
