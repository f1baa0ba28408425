-- Every wallet as the read model has it, with a digest of all its postings in order; the same line as cqrs_folded.sql.
SELECT w.account_id, w.currency,
       CASE w.status WHEN 'frozen' THEN 'WalletFrozen' WHEN 'closed' THEN 'WalletClosed' ELSE 'WalletUnfrozen' END AS status,
       w.balance_micros, w.version, w.updated_at,
       md5(string_agg(concat_ws('|', p.version, p.transaction_id, p.amount_micros, p.balance_micros, p.counterparty,
                                extract(epoch FROM p.at)), ',' ORDER BY p.version) FILTER (WHERE p.version IS NOT NULL)) AS postings
FROM read_model.wallets w LEFT JOIN read_model.postings p USING (account_id)
GROUP BY w.account_id
