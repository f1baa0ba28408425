-- Create the events as rows, and the wallets folded from them, once for all checks. The fold is SQL, so that an error in
-- the services' code cannot hide itself.
CREATE TEMP TABLE moves ON COMMIT DROP AS
SELECT position, stream_id, version, type, transaction_id, at, currency, counterparty, micros,
       sum(micros) OVER stream AS balance, lag(at) OVER stream AS before, row_number() OVER stream AS number
FROM (
    SELECT e.*, data ->> 'currency' AS currency, coalesce(data ->> 'counterparty', '@external') AS counterparty,
           CASE type WHEN 'BalanceDebited' THEN -1 ELSE 1 END
               * coalesce((data ->> 'amount_micros')::bigint, (data ->> 'balance_micros')::bigint, 0) AS micros
    FROM (
        SELECT position, stream_id, version, type, transaction_id, at, convert_from(data, 'UTF8')::jsonb AS data
        FROM events OFFSET 0 -- a fence, so that Postgres decodes each event once
    ) AS e
) AS decoded
WINDOW stream AS (PARTITION BY stream_id ORDER BY version);

-- The same columns as cqrs_shown.sql reads from the read model.
CREATE TEMP TABLE folded ON COMMIT DROP AS
SELECT stream_id AS account_id, max(currency) AS currency,
       CASE (array_agg(type ORDER BY version DESC)
             FILTER (WHERE type IN ('WalletFrozen', 'WalletUnfrozen', 'WalletClosed')))[1]
           WHEN 'WalletFrozen' THEN 'frozen' WHEN 'WalletClosed' THEN 'closed' ELSE 'active' END AS status,
       least(sum(micros), 9223372036854775807)::bigint AS balance_micros, max(version) AS version, max(at) AS updated_at,
       bit_xor(hash_record_extended(
           ROW(version, transaction_id, micros, least(balance, 9223372036854775807)::bigint, counterparty, at), 0))
           FILTER (WHERE micros <> 0) AS postings
FROM moves GROUP BY stream_id;

ANALYZE moves, folded;
