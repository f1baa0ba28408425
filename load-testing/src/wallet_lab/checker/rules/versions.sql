-- rule: versions have no gaps
-- lie: a posting that is missing, or that is added in the middle or at the end of a wallet
SELECT account, transaction_id, NULL AS call_id, concat('entry number ', number, ' of wallet ', account, ' has version ', version,
       ' and kind ', kind) AS sentence
FROM book WHERE version <> number OR (number = 1) <> (kind = 'opening')
