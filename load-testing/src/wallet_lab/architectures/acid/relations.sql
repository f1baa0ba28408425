-- The relations of one database of a baseline (wallet_lab/checker/schema.py). us(), shard() and name() are made by
-- checker/extraction.py.

-- relation: wallets
SELECT 'wallets', pg_temp.shard(), account_id, currency, status, balance_micros, NULL, version,
       pg_temp.us(updated_at), NULL, NULL, NULL
FROM wallets

-- relation: postings
SELECT pg_temp.shard(), account_id, version, kind, transaction_id, amount_micros, NULL, counterparty, balance_micros,
       pg_temp.us(at), NULL
FROM ledger

-- relation: transfers
SELECT pg_temp.shard(), transaction_id, kind, from_account, to_account, amount_micros, currency,
       CASE WHEN reason IS NULL THEN 'completed' ELSE 'refused' END, reason, refused_by, owner, idempotency_key,
       encode(fingerprint, 'hex'), pg_temp.us(at), pg_temp.us(at), NULL, NULL
FROM transfers

-- relation: system_accounts
-- No baseline stores @transit, because its transfers are atomic. So the row is derived from the postings, and the rule on
-- system accounts proves only @external. That the sum over all shards is 0 is proved as for the others.
SELECT 'books', pg_temp.shard(), name, currency, balance_micros FROM system_accounts
UNION ALL
SELECT 'books', pg_temp.shard(), '@transit', w.currency, -sum(l.amount_micros)
FROM ledger l JOIN wallets w USING (account_id)
WHERE l.kind = 'transfer' GROUP BY w.currency HAVING sum(l.amount_micros) <> 0

-- relation: topology
SELECT pg_temp.name(), shard, shards, slot - 1, owner
FROM topology, unnest(owners) WITH ORDINALITY AS t(owner, slot)
