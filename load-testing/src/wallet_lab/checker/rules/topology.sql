-- rule: every row is on the shard that owns its slot
-- lie: a wallet, posting or transfer on another shard; databases that disagree about the slots
-- needs: books
SELECT NULL AS account, NULL AS transaction_id, NULL AS call_id, concat('databases disagree about slot ', slot, ': ', string_agg(DISTINCT concat(database, ' says shard ', owner, ' of ', shards), ', ')) AS sentence
FROM topology GROUP BY slot HAVING count(DISTINCT owner) > 1 OR count(DISTINCT shards) > 1 OR min(owner) < 0 OR max(owner) >= min(shards)
    OR count(*) <> (SELECT count(DISTINCT database) FROM topology)
UNION ALL
SELECT NULL, NULL, NULL, concat('the databases store ', count(DISTINCT slot), ' slots of ', max(shards), ' shards, and ', count(DISTINCT shard), ' databases hold shards')
FROM topology HAVING count(DISTINCT slot) <> 1024 OR count(DISTINCT shard) <> max(shards)
UNION ALL
SELECT NULL, NULL, NULL, concat('database ', database, ' is stored as ', count(DISTINCT coalesce(shard, -1)), ' shards')
FROM topology GROUP BY database HAVING count(DISTINCT coalesce(shard, -1)) > 1
UNION ALL
SELECT p.account, p.transaction_id, NULL, concat('version ', p.version, ' of wallet ', p.account, ' is on shard ', p.shard, ', but shard ', h.owner, ' owns its slot')
FROM postings p JOIN homes h USING (account) WHERE p.shard <> h.owner
UNION ALL
SELECT t.owner, t.transaction_id, NULL, concat(t.kind, ' ', t.transaction_id, ' of ', t.owner, ' is on shard ', t.shard, ', but shard ', h.owner, ' owns its slot')
FROM transfers t JOIN homes h ON h.account = t.owner WHERE t.shard <> h.owner
UNION ALL
SELECT w.account, NULL, NULL, concat(w.holder, ' shows wallet ', w.account, ' on shard ', w.shard, ', but shard ', h.owner, ' owns its slot')
FROM wallets w JOIN homes h USING (account) WHERE w.shard <> h.owner
