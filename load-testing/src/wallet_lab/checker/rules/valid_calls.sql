-- rule: no valid call is answered as invalid
-- lie: a 4xx that says that the call is malformed, unknown, not authorized or late, although it was not
WITH judged AS (
    SELECT a.*, CASE
        WHEN a.operation <> 'lookup' AND NOT is_name(a.account) THEN false
        WHEN a.operation = 'transfer' AND (NOT is_name(a.counterparty) OR a.counterparty = a.account) THEN false
        WHEN a.operation IN ('open', 'transfer', 'deposit', 'withdraw')
            THEN (a.amount_micros > 0 OR (a.operation = 'open' AND a.amount_micros = 0)) AND a.currency IN (SELECT currency FROM accounts)
                AND (a.key IS NULL OR regexp_full_match(a.key, '[!-~]{1,255}'))
        WHEN a.operation = 'balance_at' THEN a.at_asked_us < a.sent_us - r.clock_skew_us -- a moment in the future is invalid
        WHEN a.operation = 'statement' THEN coalesce(a.limit_asked, 50) BETWEEN 1 AND 500
            AND (a.cursor IS NULL OR a.cursor IN (SELECT next_cursor FROM statement_pages))
        ELSE true END AND coalesce(a.min_position, 0) >= 0 AS is_valid
    FROM answers a, run r WHERE a.outcome = 'invalid'
), accepted AS ( -- all calls of a load have the same API key
    SELECT DISTINCT load FROM answers WHERE outcome IN ('success', 'pending', 'refused')
)
SELECT j.account, NULL AS transaction_id, j.call_id, concat(s.words, CASE j.problem
    WHEN 'unauthorized' THEN ', but other calls with the same API key were accepted'
    WHEN 'request-timeout' THEN concat(' after ', j.answered_us - j.sent_us, ' us, but a request may take 10 s to arrive')
    ELSE ', but the call is valid' END) AS sentence
FROM judged j JOIN said s USING (call_id)
WHERE CASE j.problem
    WHEN 'unauthorized' THEN j.load IN (SELECT load FROM accepted)
    WHEN 'request-timeout' THEN j.answered_us - j.sent_us < 9900000
    WHEN 'idempotency-key-reused' THEN false -- see keys.sql
    ELSE j.is_valid END
