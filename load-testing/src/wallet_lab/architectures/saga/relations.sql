-- The relations of one shard (wallet_lab/checker/schema.py). us(), shard() and name() are made by checker/extraction.py.

-- relation: wallets
SELECT 'wallets', pg_temp.shard(), account_id, currency, status, balance_micros, in_flight_micros, version,
       pg_temp.us(updated_at), NULL, NULL, NULL
FROM wallets

-- relation: postings
SELECT pg_temp.shard(), account_id, version, kind, transfer_id, amount_micros, NULL, counterparty, balance_micros,
       pg_temp.us(at), NULL
FROM ledger

-- relation: transfers
SELECT pg_temp.shard(), transfer_id, kind, from_account, to_account, amount_micros, currency,
       CASE state WHEN 'debited' THEN 'pending' ELSE state END, reason, NULL, owner, idempotency_key,
       encode(fingerprint, 'hex'), pg_temp.us(started_at), pg_temp.us(ended_at), NULL, NULL
FROM transfers

-- relation: credits
SELECT pg_temp.shard(), transfer_id, reason, pg_temp.us(at) FROM credits

-- relation: system_accounts
SELECT 'books', pg_temp.shard(), name, currency, balance_micros FROM system_accounts

-- relation: topology
SELECT pg_temp.name(), shard, shards, slot - 1, owner
FROM topology, unnest(owners) WITH ORDINALITY AS t(owner, slot)
