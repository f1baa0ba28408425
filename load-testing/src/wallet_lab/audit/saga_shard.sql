-- What one shard of the saga violates, a sentence a row. Every rule stands alone, so one breach does not hide another.
SELECT format('%s: wallets, @external and @transit sum to %s micros, not to 0', currency, sum(balance_micros))
FROM (
    SELECT currency, balance_micros::numeric FROM wallets
    UNION ALL
    SELECT currency, balance_micros FROM system_accounts
) AS books
GROUP BY currency HAVING sum(balance_micros) <> 0

UNION ALL
SELECT format('wallet %s holds %s micros', account_id, balance_micros) FROM wallets WHERE balance_micros < 0

UNION ALL
SELECT format('wallet %s is at version %s with %s micros; its ledger has %s entries up to version %s that sum to %s',
              w.account_id, w.version, w.balance_micros, coalesce(l.entries, 0), coalesce(l.version, 0),
              coalesce(l.total, 0))
FROM wallets w LEFT JOIN (
    SELECT account_id, count(*) AS entries, max(version) AS version, sum(amount_micros) AS total
    FROM ledger GROUP BY account_id
) AS l USING (account_id)
WHERE (l.entries, l.version, l.total) IS DISTINCT FROM (w.version, w.version, w.balance_micros::numeric)

UNION ALL
SELECT format('wallet %s: entry %s says %s micros after it, the entries up to it sum to %s',
              account_id, version, balance_micros, total)
FROM (
    SELECT account_id, version, balance_micros,
           sum(amount_micros) OVER (PARTITION BY account_id ORDER BY version) AS total
    FROM ledger
) AS running WHERE balance_micros <> total

UNION ALL
SELECT format('wallet %s: entry %s is older than the one before it', account_id, version)
FROM (
    SELECT account_id, version, at, lag(at) OVER (PARTITION BY account_id ORDER BY version) AS before FROM ledger
) AS times WHERE at < before

UNION ALL
SELECT format('saga %s has not ended', transfer_id) FROM transfers WHERE state = 'debited'

UNION ALL
SELECT format('wallet %s counts %s micros in flight, its open sagas %s', w.account_id, w.in_flight_micros,
              coalesce(t.open, 0))
FROM wallets w LEFT JOIN (
    SELECT from_account, sum(amount_micros) AS open FROM transfers WHERE state = 'debited' GROUP BY from_account
) AS t ON t.from_account = w.account_id
WHERE w.in_flight_micros <> coalesce(t.open, 0)

-- An owner's postings of a transfer, by what became of it. (The payee's side of a transfer is checked below.)
UNION ALL
SELECT format('%s %s of %s micros is %s, but its owner has %s postings that sum to %s',
              t.kind, t.transfer_id, t.amount_micros, t.state, count(l.version), coalesce(sum(l.amount_micros), 0))
FROM transfers t LEFT JOIN ledger l ON l.transfer_id = t.transfer_id AND l.account_id = t.owner
GROUP BY t.transfer_id
HAVING (count(l.version), coalesce(sum(l.amount_micros), 0)) <> (
    CASE t.state WHEN 'refused' THEN 0 WHEN 'refunded' THEN 2 ELSE 1 END,
    CASE WHEN t.state IN ('refused', 'refunded') THEN 0
         WHEN t.kind IN ('transfer', 'withdrawal') THEN -t.amount_micros
         ELSE t.amount_micros END)

UNION ALL
SELECT format('the barrier says of transfer %s: %s, but there are %s postings of it to a payee', c.transfer_id,
              coalesce(c.reason, 'credited'), count(l.version))
FROM credits c LEFT JOIN ledger l ON l.transfer_id = c.transfer_id AND l.kind = 'transfer' AND l.amount_micros > 0
GROUP BY c.transfer_id
HAVING count(l.version) <> CASE WHEN c.reason IS NULL THEN 1 ELSE 0 END

UNION ALL
SELECT format('a posting of %s micros to %s belongs to no transfer and no credit', l.amount_micros, l.account_id)
FROM ledger l
WHERE l.transfer_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM transfers t WHERE t.transfer_id = l.transfer_id)
  AND NOT EXISTS (SELECT FROM credits c WHERE c.transfer_id = l.transfer_id)
