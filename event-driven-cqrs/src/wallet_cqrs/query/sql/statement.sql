-- Selects up to $3 postings of wallet $1 below version $2, newest first.
SELECT account_id, version, kind, transaction_id, amount_micros, balance_micros, counterparty, at
FROM postings
WHERE account_id = $1 AND version < $2
ORDER BY version DESC
LIMIT $3
