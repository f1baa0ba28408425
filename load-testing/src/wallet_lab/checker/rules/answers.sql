-- rule: every answer is one that the contract allows
-- lie: a success without its document, a problem with another status, or an answer about another wallet
SELECT a.account, a.transaction_id, a.call_id, concat(s.words, ', which the contract does not allow') AS sentence
FROM answers a JOIN said s ON s.call_id = a.call_id
WHERE NOT coalesce(CASE
    WHEN a.status = 0 THEN a.problem IS NULL
    WHEN a.operation = 'transfer' AND a.status = 201 THEN a.state = 'success' AND a.transaction_id IS NOT NULL
    WHEN a.operation = 'transfer' AND a.status = 202 THEN a.state = 'pending' AND a.transaction_id IS NOT NULL
    WHEN a.operation IN ('deposit', 'withdraw') AND a.status = 201 THEN a.state = 'success' AND a.transaction_id IS NOT NULL
    WHEN a.operation = 'open' AND a.status = 201 THEN a.version = 1 AND a.transaction_id IS NOT NULL
    WHEN a.operation IN ('freeze', 'unfreeze', 'close', 'balance', 'balance_at') AND a.status = 200 THEN a.version IS NOT NULL
    WHEN a.operation IN ('statement', 'lookup') AND a.status = 200 THEN a.body IS NOT NULL
    WHEN a.status < 400 THEN false
    ELSE coalesce(a.status = CASE a.problem
        WHEN 'invalid-request' THEN 422 WHEN 'idempotency-key-reused' THEN 422 WHEN 'unauthorized' THEN 401
        WHEN 'not-found' THEN 404 WHEN 'method-not-allowed' THEN 405 WHEN 'request-timeout' THEN 408
        WHEN 'body-too-large' THEN 413 WHEN 'unsupported-media-type' THEN 415 WHEN 'wallet-not-found' THEN 404
        WHEN 'transfer-not-found' THEN 404 WHEN 'wallet-exists' THEN 409 WHEN 'wallet-frozen' THEN 409
        WHEN 'wallet-closed' THEN 409 WHEN 'wallet-not-empty' THEN 409 WHEN 'currency-mismatch' THEN 409
        WHEN 'insufficient-funds' THEN 409 WHEN 'balance-limit' THEN 409 WHEN 'overloaded' THEN 503
        WHEN 'draining' THEN 503 WHEN 'shard-unavailable' THEN 503 WHEN 'outcome-unknown' THEN 503
        WHEN 'position-not-reached' THEN 503 END, false)
END, false) -- a missing value is not allowed either
UNION ALL
-- A problem that this operation cannot have.
SELECT a.account, NULL, a.call_id, concat(s.words, ', which is no problem of this operation')
FROM answers a JOIN said s USING (call_id)
WHERE (a.problem = 'transfer-not-found' AND a.operation <> 'lookup')
   OR (a.problem = 'wallet-exists' AND a.operation <> 'open')
   OR (a.problem = 'wallet-not-empty' AND a.operation <> 'close')
   OR (a.problem IN ('insufficient-funds') AND a.operation NOT IN ('transfer', 'withdraw'))
   OR (a.problem = 'balance-limit' AND a.operation NOT IN ('transfer', 'deposit'))
   OR (a.problem IN ('wallet-frozen', 'wallet-closed', 'currency-mismatch') AND a.operation IN ('balance', 'balance_at', 'statement', 'lookup', 'open', 'close'))
   OR (a.problem = 'wallet-frozen' AND a.operation IN ('freeze', 'unfreeze'))
   OR (a.problem = 'idempotency-key-reused' AND a.key IS NULL)
