-- rule: servers store acknowledged data durably
-- lie: a database without fsync, a queue that is not replicated, a cache that holds the only copy
-- needs: books
WITH required(kind, name, allowed) AS (VALUES
    ('postgres', 'fsync', ['on']),
    ('postgres', 'full_page_writes', ['on']),
    ('postgres', 'synchronous_commit', ['on', 'remote_apply']),
    ('postgres', 'wal_level', ['replica', 'logical']),
    ('postgres', 'unlogged tables', ['0']),
    ('broker', 'queue type', ['quorum']),
    ('broker', 'queue durable', ['true']),
    ('cache', 'save', ['']),
    ('cache', 'appendonly', ['no']),
    ('cache', 'other keys', ['0'])
), asked AS (
    SELECT DISTINCT d.kind, d.server, r.name, r.allowed
    FROM durability d JOIN required r USING (kind)
)
SELECT NULL AS account, NULL AS transaction_id, NULL AS call_id, concat(a.server, ' has ', a.name, ' = ', coalesce(concat('''', d.value, ''' (', d.scope, ')'), 'nothing'),
       ', but must have ', array_to_string(a.allowed, ' or ')) AS sentence
FROM asked a LEFT JOIN durability d ON d.server = a.server AND d.kind = a.kind AND d.name = a.name
WHERE d.value IS NULL OR NOT list_contains(a.allowed, d.value)
UNION ALL
SELECT NULL, NULL, NULL, concat('the settings of ', (SELECT count(DISTINCT server) FROM durability WHERE kind = 'postgres'),
       ' databases were read, but there are ', (SELECT count(DISTINCT database) FROM topology)) FROM run
WHERE (SELECT count(DISTINCT server) FROM durability WHERE kind = 'postgres') <> (SELECT count(DISTINCT database) FROM topology)
UNION ALL
SELECT NULL, NULL, NULL, concat('no setting of the ', kind, ' was read')
FROM (SELECT 'cache' AS kind FROM holders WHERE holder = 'cache' UNION SELECT 'broker' FROM positions WHERE name = 'relay')
WHERE kind NOT IN (SELECT kind FROM durability)
