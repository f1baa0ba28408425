-- The operations around a violation of wallet $account, transaction $transaction and call $call: the nearest calls and postings.
WITH violation AS (
    SELECT coalesce(
        (SELECT sent_us FROM calls WHERE call_id = $call),
        (SELECT max(at_us) FROM postings WHERE transaction_id = $transaction),
        (SELECT max(at_us) FROM postings WHERE account = $account)) AS us
), near AS (
    (SELECT c.sent_us AS us, s.words FROM calls c JOIN said s USING (call_id), violation v
     WHERE c.account = $account OR c.counterparty = $account OR c.transaction_id = $transaction
     ORDER BY abs(c.sent_us - v.us), c.call_id LIMIT 5)
    UNION ALL
    (SELECT p.at_us, concat('version ', p.version, ' of wallet ', p.account, ': ', p.kind, ' of ', p.amount_micros, ' micros',
                            coalesce(' with ' || p.counterparty, ''), coalesce(' for ' || p.transaction_id, '')) FROM postings p, violation v
     WHERE p.account = $account OR p.transaction_id = $transaction
     ORDER BY abs(p.at_us - v.us), p.version LIMIT 5)
)
SELECT concat(us, ' us: ', words) FROM near ORDER BY us, words
