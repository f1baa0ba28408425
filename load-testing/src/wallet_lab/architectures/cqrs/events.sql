-- The relations of the event store (wallet_lab/checker/schema.py). The events are decoded here, in SQL, so that an error
-- in the services' code cannot hide itself. us(), shard() and name() are made by checker/extraction.py.

-- relation: postings
SELECT NULL, stream_id, version,
       CASE type WHEN 'WalletOpened' THEN 'opening' WHEN 'WalletFrozen' THEN 'frozen' WHEN 'WalletUnfrozen' THEN 'unfrozen'
                 WHEN 'WalletClosed' THEN 'closed'
                 WHEN 'BalanceDebited' THEN CASE schema_version WHEN 1 THEN 'transfer' ELSE data ->> 'kind' END
                 WHEN 'BalanceCredited' THEN CASE schema_version WHEN 1 THEN 'transfer' ELSE data ->> 'kind' END
                 ELSE type END,
       transaction_id,
       CASE type WHEN 'BalanceDebited' THEN -1 ELSE 1 END
           * coalesce((data ->> 'amount_micros')::bigint, (data ->> 'balance_micros')::bigint, 0),
       data ->> 'currency',
       CASE type WHEN 'WalletOpened' THEN '@external' ELSE data ->> 'counterparty' END,
       NULL, pg_temp.us(at), position
FROM (
    SELECT position, stream_id, version, type, schema_version, transaction_id, at, convert_from(data, 'UTF8')::jsonb AS data
    FROM events OFFSET 0 -- a fence, so that Postgres decodes each event once
) AS decoded

-- relation: transfers
SELECT NULL, transaction_id, kind, from_account, to_account, amount_micros, currency,
       CASE WHEN reason IS NULL THEN 'completed' ELSE 'refused' END, reason, refused_by, owner, idempotency_key,
       encode(fingerprint, 'hex'), pg_temp.us(at), NULL, first_position, last_position
FROM decisions

-- relation: wallets
SELECT 'snapshots', NULL, stream_id, state ->> 'currency', state ->> 'status', (state ->> 'balance_micros')::bigint, NULL,
       CASE WHEN (state ->> 'account_id', (state ->> 'version')::bigint, (state ->> 'updated_at')::timestamptz) = (stream_id, version, at)
            THEN version ELSE -1 END,
       pg_temp.us(at), NULL, NULL, NULL
FROM (SELECT stream_id, version, at, convert_from(state, 'UTF8')::jsonb AS state FROM snapshots OFFSET 0) AS decoded

-- relation: positions
SELECT 'head', position, epoch, NULL, true FROM log_state
UNION ALL
SELECT 'relay', position, NULL, NULL, false FROM relay_checkpoint

-- relation: epochs
SELECT number, epoch, after, reason, pg_temp.us(at) FROM log_epochs

-- relation: topology
SELECT pg_temp.name(), shard, shards, slot - 1, owner
FROM topology, unnest(owners) WITH ORDINALITY AS t(owner, slot)
