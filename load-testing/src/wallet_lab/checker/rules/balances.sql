-- rule: every stored balance is the sum of its postings
-- lie: a balance after a posting that is not the fold; a wallet below zero or beyond the limit; another currency
SELECT account, transaction_id, NULL AS call_id, concat('version ', version, ' of wallet ', account, ', a ', kind, ' of ', amount_micros, ' micros, ', CASE
    WHEN balance_micros <> balance OR currency <> wallet_currency THEN concat('has the balance ', balance_micros, ' micros ', currency,
        ', but its postings sum to ', balance, ' micros ', wallet_currency)
    WHEN balance < 0 OR balance > 9223372036854775807 THEN concat('leaves ', balance, ' micros, which a wallet cannot hold')
    ELSE 'has a value that this kind cannot have' END) AS sentence
FROM book
WHERE balance_micros <> balance OR currency <> wallet_currency OR balance < 0 OR balance > 9223372036854775807
   OR (kind IN ('frozen', 'unfrozen', 'closed') AND (amount_micros <> 0 OR transaction_id IS NOT NULL OR counterparty IS NOT NULL))
   OR (kind IN ('opening', 'deposit', 'refund') AND amount_micros < 0) OR (kind = 'withdrawal' AND amount_micros > 0)
   OR (amount_micros = 0 AND kind NOT IN ('opening', 'frozen', 'unfrozen', 'closed'))
