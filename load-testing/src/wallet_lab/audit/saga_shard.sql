-- Checks of one shard of the saga. Each check is independent, so that one violation does not hide another.

-- check: money is conserved
SELECT format('%s: wallets, @external and @transit sum to %s micros, not to 0', currency, sum(balance_micros))
FROM (
    SELECT currency, sum(balance_micros) AS balance_micros FROM wallets GROUP BY currency
    UNION ALL
    SELECT currency, balance_micros FROM system_accounts
) AS books
GROUP BY currency HAVING sum(balance_micros) <> 0

-- check: no wallet is below zero
SELECT format('wallet %s holds %s micros', account_id, balance_micros) FROM wallets WHERE balance_micros < 0

-- check: every balance is the sum of its postings
SELECT format('wallet %s holds %s micros, but its ledger sums to %s', w.account_id, w.balance_micros, coalesce(l.total, 0))
FROM wallets w FULL JOIN (
    SELECT account_id, sum(amount_micros) AS total FROM ledger GROUP BY account_id
) AS l USING (account_id)
WHERE w.balance_micros IS DISTINCT FROM l.total

-- check: versions are contiguous
SELECT format('wallet %s is at version %s; but its ledger has %s entries up to version %s',
              w.account_id, w.version, coalesce(l.entries, 0), coalesce(l.version, 0))
FROM wallets w FULL JOIN (
    SELECT account_id, count(*) AS entries, max(version) AS version FROM ledger GROUP BY account_id
) AS l USING (account_id)
WHERE (l.entries, l.version) IS DISTINCT FROM (w.version, w.version)

-- check: every balance is explained at any past moment
SELECT format('wallet %s: entry %s has the balance %s micros at %s, but the entries sum to %s and the previous time is %s',
              account_id, version, balance_micros, at, total, before)
FROM (
    SELECT account_id, version, balance_micros, at, sum(amount_micros) OVER wallet AS total, lag(at) OVER wallet AS before
    FROM ledger WINDOW wallet AS (PARTITION BY account_id ORDER BY version)
) AS running
WHERE balance_micros <> total OR at < before

-- check: every saga has ended
SELECT format('saga %s has not ended', transfer_id) FROM transfers WHERE state = 'debited'

-- check: money in flight is that of open sagas
SELECT format('wallet %s records %s micros in flight, but its open sagas sum to %s', w.account_id, w.in_flight_micros,
              coalesce(t.open, 0))
FROM wallets w LEFT JOIN (
    SELECT from_account, sum(amount_micros) AS open FROM transfers WHERE state = 'debited' GROUP BY from_account
) AS t ON t.from_account = w.account_id
WHERE w.in_flight_micros <> coalesce(t.open, 0)

-- Compares the owner's postings of a transfer with its state. Another check covers the payee's postings.
-- check: every transfer is posted as it ended
SELECT format('%s %s of %s micros is %s, but its owner has %s postings that sum to %s',
              t.kind, t.transfer_id, t.amount_micros, t.state, coalesce(l.postings, 0), coalesce(l.total, 0))
FROM transfers t LEFT JOIN (
    SELECT transfer_id, account_id, count(*) AS postings, sum(amount_micros) AS total
    FROM ledger GROUP BY transfer_id, account_id
) AS l ON l.transfer_id = t.transfer_id AND l.account_id = t.owner
WHERE (coalesce(l.postings, 0), coalesce(l.total, 0)) <> (
    CASE t.state WHEN 'refused' THEN 0 WHEN 'refunded' THEN 2 ELSE 1 END,
    CASE WHEN t.state IN ('refused', 'refunded') THEN 0
         WHEN t.kind IN ('transfer', 'withdrawal') THEN -t.amount_micros
         ELSE t.amount_micros END)

-- check: every credit is posted as the barrier says
SELECT format('the barrier of transfer %s says %s, but the transfer has %s postings to a payee', c.transfer_id,
              coalesce(c.reason, 'credited'), coalesce(l.postings, 0))
FROM credits c LEFT JOIN (
    SELECT transfer_id, count(*) AS postings FROM ledger
    WHERE kind = 'transfer' AND amount_micros > 0 GROUP BY transfer_id
) AS l USING (transfer_id)
WHERE coalesce(l.postings, 0) <> CASE WHEN c.reason IS NULL THEN 1 ELSE 0 END

-- check: every posting belongs to a transfer
SELECT format('a posting of %s micros to %s belongs to no transfer and no credit', l.amount_micros, l.account_id)
FROM ledger l
WHERE l.transfer_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM transfers t WHERE t.transfer_id = l.transfer_id)
  AND NOT EXISTS (SELECT FROM credits c WHERE c.transfer_id = l.transfer_id)
