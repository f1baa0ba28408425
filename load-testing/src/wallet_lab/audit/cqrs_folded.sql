-- Every wallet as its events leave it, with a digest of all its postings in order; the same line as cqrs_shown.sql.
WITH moves AS (
    SELECT stream_id, version, type, transaction_id, at, data,
           CASE type WHEN 'BalanceDebited' THEN -1 ELSE 1 END
               * coalesce((data ->> 'amount_micros')::bigint, (data ->> 'balance_micros')::bigint, 0) AS micros
    FROM (SELECT stream_id, version, type, transaction_id, at, convert_from(data, 'UTF8')::jsonb AS data FROM events) AS e
), folded AS (
    SELECT *, sum(micros) OVER (PARTITION BY stream_id ORDER BY version) AS balance FROM moves
)
SELECT stream_id AS account_id,
       (array_agg(data ->> 'currency') FILTER (WHERE version = 1))[1] AS currency,
       coalesce((array_agg(type ORDER BY version DESC)
                 FILTER (WHERE type IN ('WalletFrozen', 'WalletUnfrozen', 'WalletClosed')))[1], 'WalletUnfrozen') AS status,
       sum(micros)::bigint AS balance_micros, max(version) AS version, max(at) AS updated_at,
       md5(string_agg(concat_ws('|', version, transaction_id, micros, balance, coalesce(data ->> 'counterparty', '@external'),
                                extract(epoch FROM at)), ',' ORDER BY version) FILTER (WHERE micros <> 0)) AS postings
FROM folded GROUP BY stream_id
