-- Returns up to $3 postings of wallet $1 below version $2, newest first. Omits entries with amount 0, such as status
-- changes.
SELECT account_id, version, kind, transaction_id, amount_micros, balance_micros, counterparty, at
FROM ledger
WHERE account_id = $1 AND version < $2 AND amount_micros <> 0
ORDER BY version DESC
LIMIT $3
