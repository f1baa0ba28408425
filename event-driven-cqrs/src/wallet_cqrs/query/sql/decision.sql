-- Selects the log's head and the decision on transaction $1, or nulls if there is none.
SELECT log_head.position AS head, decision.*
FROM log_head LEFT JOIN LATERAL (
    SELECT transaction_id, kind, from_account, to_account, amount_micros, currency, reason, first_position,
           last_position, at
    FROM decisions WHERE transaction_id = $1
) decision ON true
