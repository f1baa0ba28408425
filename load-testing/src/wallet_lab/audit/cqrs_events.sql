-- Checks of the event store. cqrs_fold.sql creates `moves` and `folded`.

-- check: money is conserved
SELECT format('%s: wallets hold %s micros, but the net inflow from outside is %s', currency, coalesce(held, 0), coalesce(came, 0))
FROM (SELECT currency, sum(balance_micros) AS held FROM folded GROUP BY currency) AS inside FULL JOIN (
    SELECT currency, sum(CASE kind WHEN 'withdrawal' THEN -amount_micros ELSE amount_micros END) AS came
    FROM decisions WHERE kind <> 'transfer' AND reason IS NULL GROUP BY currency
) AS outside USING (currency)
WHERE coalesce(held, 0) <> coalesce(came, 0)

-- check: no wallet is below zero
SELECT format('%s is at %s micros after version %s', stream_id, balance, version)
FROM moves WHERE balance < 0 OR balance > 9223372036854775807 OR (type = 'WalletClosed' AND balance <> 0)

-- check: positions are contiguous
SELECT format('the log has %s events up to position %s, but its head is at %s', count(e.position), max(e.position), h.position)
FROM log_head h LEFT JOIN events e ON true GROUP BY h.position
HAVING count(e.position) <> h.position OR coalesce(max(e.position), 0) <> h.position

-- check: versions are contiguous
SELECT format('stream %s has %s as event number %s, with version %s', stream_id, type, number, version)
FROM moves WHERE version <> number OR (number = 1) <> (type = 'WalletOpened')

-- check: no wallet's time runs backwards
SELECT format('the time of stream %s decreases at version %s', stream_id, version) FROM moves WHERE at < before

-- check: every decision is what its events say
SELECT format('%s %s is decided as %s, but has %s events with a net amount of %s', d.kind, d.transaction_id,
              coalesce(d.reason, 'success'), coalesce(t.events, 0), coalesce(t.net, 0))
FROM decisions d LEFT JOIN (
    SELECT transaction_id, count(*) AS events, sum(micros) AS net, min(position) AS first, max(position) AS last,
           sum(micros) FILTER (WHERE micros > 0) AS credited,
           max(stream_id) FILTER (WHERE micros < 0) AS payer, max(stream_id) FILTER (WHERE micros > 0) AS payee
    FROM moves WHERE transaction_id IS NOT NULL GROUP BY transaction_id
) AS t USING (transaction_id)
WHERE CASE
    WHEN d.reason IS NOT NULL THEN t.events IS NOT NULL
    WHEN d.kind = 'transfer' THEN
        (t.events, t.net, t.credited, t.payer, t.payee) IS DISTINCT FROM
        (2::bigint, 0::numeric, d.amount_micros::numeric, d.from_account, d.to_account)
    ELSE t.events IS DISTINCT FROM 1
        OR t.net IS DISTINCT FROM CASE WHEN d.kind = 'withdrawal' THEN -1 ELSE 1 END * d.amount_micros::numeric
END OR (d.reason IS NULL AND (d.first_position, d.last_position) IS DISTINCT FROM (t.first, t.last))

-- check: every event was decided
SELECT format('transaction %s has an event at position %s, but no decision', m.transaction_id, m.position)
FROM moves m
WHERE m.transaction_id IS NOT NULL AND NOT EXISTS (SELECT FROM decisions d WHERE d.transaction_id = m.transaction_id)
