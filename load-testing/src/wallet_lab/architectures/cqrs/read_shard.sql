-- The relations of one read shard (wallet_lab/checker/schema.py).

-- relation: wallets
SELECT 'read model', pg_temp.shard(), account_id, currency, status, balance_micros, NULL, version, pg_temp.us(updated_at),
       NULL, NULL, NULL
FROM read_model.wallets

-- relation: listed
SELECT 'read model', pg_temp.shard(), account_id, version, kind, transaction_id, amount_micros, counterparty, balance_micros,
       pg_temp.us(at)
FROM read_model.postings

-- relation: system_accounts
SELECT 'read model', pg_temp.shard(), name, currency, balance_micros FROM read_model.system_accounts

-- relation: positions
SELECT pg_temp.name(), position, epoch, coalesce(stopped, CASE WHEN diverged THEN 'diverged from the log' END), true
FROM read_model.checkpoint

-- relation: topology
SELECT pg_temp.name(), shard, shards, slot - 1, owner
FROM public.topology, unnest(owners) WITH ORDINALITY AS t(owner, slot)
