-- Every wallet of the read model, with a digest of its postings: the same columns as `folded` in cqrs_fold.sql.
SELECT w.account_id, w.currency, w.status, w.balance_micros, w.version, w.updated_at, p.postings
FROM read_model.wallets w LEFT JOIN (
    SELECT account_id, bit_xor(hash_record_extended(
               ROW(version, transaction_id, amount_micros, balance_micros, counterparty, at), 0)) AS postings
    FROM read_model.postings GROUP BY account_id
) AS p USING (account_id)
