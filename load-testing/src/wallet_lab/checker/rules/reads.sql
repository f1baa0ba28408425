-- rule: every answered wallet is a version of the books
-- lie: a read that answers a constant, or a balance, status, currency or time that the wallet never had
SELECT a.account, NULL AS transaction_id, a.call_id, concat(s.words, ' with version ', a.version, ', ', a.balance_micros, ' micros, ',
       a.wallet_status, ' of ', a.answered_account, ', but ', CASE
           WHEN b.account IS NULL THEN concat('wallet ', a.account, ' has no version ', a.version)
           ELSE concat('version ', b.version, ' of wallet ', b.account, ' is ', b.balance, ' micros ', b.wallet_currency, ', ', b.status_after,
                       ', changed at ', b.at_us, ' us') END) AS sentence
FROM answers a LEFT JOIN book b ON b.account = a.account AND b.version = a.version JOIN said s ON s.call_id = a.call_id
WHERE a.outcome = 'success' AND a.operation IN ('open', 'freeze', 'unfreeze', 'close', 'balance', 'balance_at')
  AND (b.account IS NULL OR (a.answered_account, a.balance_micros, a.wallet_status, a.wallet_currency, a.updated_us)
      IS DISTINCT FROM (b.account, b.balance, b.status_after, b.wallet_currency, b.at_us))
