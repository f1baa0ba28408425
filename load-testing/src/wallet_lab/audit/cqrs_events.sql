-- What the event store promises of itself, each violation as a sentence. Folded here in SQL, not by the services' code.
WITH moves AS (
    SELECT position, stream_id, version, type, transaction_id, at,
           convert_from(data, 'UTF8')::jsonb AS data,
           CASE type WHEN 'BalanceDebited' THEN -1 ELSE 1 END
               * coalesce((convert_from(data, 'UTF8')::jsonb ->> 'amount_micros')::numeric,
                          (convert_from(data, 'UTF8')::jsonb ->> 'balance_micros')::numeric, 0) AS micros
    FROM events
), folded AS (
    SELECT *, sum(micros) OVER stream AS balance, lag(at) OVER stream AS before, row_number() OVER stream AS number
    FROM moves WINDOW stream AS (PARTITION BY stream_id ORDER BY version)
), told AS (
    SELECT transaction_id, count(*) AS events, sum(micros) AS net, min(position) AS first, max(position) AS last,
           sum(micros) FILTER (WHERE micros > 0) AS credited,
           max(stream_id) FILTER (WHERE micros < 0) AS payer, max(stream_id) FILTER (WHERE micros > 0) AS payee
    FROM moves WHERE transaction_id IS NOT NULL GROUP BY transaction_id
)
SELECT format('the log has %s events up to position %s, its head says %s', count(e.position), max(e.position), h.position)
FROM log_head h LEFT JOIN events e ON true GROUP BY h.position
HAVING count(e.position) <> h.position OR coalesce(max(e.position), 0) <> h.position
UNION ALL
SELECT format('%s has version %s as its event number %s', stream_id, version, number) FROM folded WHERE version <> number
UNION ALL
SELECT format('%s has %s as its first event', stream_id, type) FROM folded WHERE (number = 1) <> (type = 'WalletOpened')
UNION ALL
SELECT format('%s is at %s micros after version %s', stream_id, balance, version)
FROM folded WHERE balance < 0 OR balance > 9223372036854775807 OR (type = 'WalletClosed' AND balance <> 0)
UNION ALL
SELECT format('%s runs backwards in time at version %s', stream_id, version) FROM folded WHERE at < before
UNION ALL
SELECT format('%s %s is decided as %s, but has %s events that net %s', d.kind, d.transaction_id,
              coalesce(d.reason, 'success'), coalesce(t.events, 0), coalesce(t.net, 0))
FROM decisions d LEFT JOIN told t USING (transaction_id)
WHERE CASE
    WHEN d.reason IS NOT NULL THEN t.events IS NOT NULL
    WHEN d.kind = 'transfer' THEN
        (t.events, t.net, t.credited, t.payer, t.payee) IS DISTINCT FROM
        (2::bigint, 0::numeric, d.amount_micros::numeric, d.from_account, d.to_account)
    ELSE t.events IS DISTINCT FROM 1
        OR t.net IS DISTINCT FROM CASE WHEN d.kind = 'withdrawal' THEN -1 ELSE 1 END * d.amount_micros::numeric
END OR (d.reason IS NULL AND (d.first_position, d.last_position) IS DISTINCT FROM (t.first, t.last))
UNION ALL
SELECT format('transaction %s has events, but was never decided', t.transaction_id)
FROM told t LEFT JOIN decisions d USING (transaction_id) WHERE d.transaction_id IS NULL
LIMIT 100
