-- Returns up to $3 postings of wallet $1 below version $2 (all if it is null), newest first. Omits entries with amount 0, such as status
-- changes.
SELECT account_id, version, kind, transaction_id, amount_micros, balance_micros, counterparty, at
FROM ledger
WHERE account_id = $1 AND version < coalesce($2::bigint, 9223372036854775807) AND amount_micros <> 0
ORDER BY version DESC
LIMIT $3
