-- The evidence of an honest run with $calls calls: half transfers, half reads, on 1000 wallets of two shards.
CREATE TEMP TABLE w AS SELECT i, 'load-' || i AS account, slot_of('load-' || i) * 2 // 1024 AS shard FROM range(1000) t(i);
CREATE TEMP TABLE t AS
    SELECT k, p.account AS payer, p.shard AS payer_shard, q.account AS payee, q.shard AS payee_shard, uuid()::VARCHAR AS id, sent
    FROM (SELECT k, (k * 7919) % 1000 AS a, (k * 7919 + 1 + (k * 31) % 999) % 1000 AS b,
                 1700000000000000 + k * 500 AS sent FROM range($calls) r(k) WHERE k % 2 = 0)
    JOIN w p ON p.i = a JOIN w q ON q.i = b;
INSERT INTO baseline SELECT account, 'USD', 'active', 1000000000000, 1 FROM w;
INSERT INTO postings
    SELECT shard, account, row_number() OVER wallet, kind, id, micros, NULL, party, sum(micros) OVER wallet, moment, NULL
    FROM (
        SELECT shard, account, 'opening' AS kind, 'open-' || i AS id, 1000000000000 AS micros, '@external' AS party,
               1700000000000000 - 1000000 AS moment FROM w
        UNION ALL SELECT payer_shard, payer, 'transfer', id, -10000, payee, sent + 3000 FROM t
        UNION ALL SELECT payee_shard, payee, 'transfer', id, 10000, payer, sent + 6001 FROM t
    ) WINDOW wallet AS (PARTITION BY account ORDER BY moment ROWS UNBOUNDED PRECEDING);
INSERT INTO transfers
    SELECT shard, 'open-' || i, 'opening', '@external', account, 1000000000000, 'USD', 'completed', NULL, NULL, account, NULL,
           NULL, 1700000000000000 - 1000000, 1700000000000000 - 1000000, NULL, NULL FROM w
    UNION ALL
    SELECT payer_shard, id, 'transfer', payer, payee, 10000, 'USD', 'completed', NULL, NULL, payer, 'run-' || k, fingerprint_of('transfer', payee, 10000, 'USD'),
           sent + 3000, sent + 12000, NULL, NULL FROM t;
INSERT INTO credits SELECT payee_shard, id, NULL, sent + 6001 FROM t;
INSERT INTO wallets
    SELECT 'wallets', any_value(shard), account, 'USD', 'active', sum(amount_micros), 0, max(version), max(at_us), NULL, NULL, NULL
    FROM postings GROUP BY account;
INSERT INTO system_accounts
    SELECT 'books', shard, CASE counterparty WHEN '@external' THEN '@external' ELSE '@transit' END AS name, 'USD',
           -sum(amount_micros) FROM postings GROUP BY shard, name;
INSERT INTO topology SELECT 'shard ' || s, s, 2, slot, slot * 2 // 1024 FROM range(2) a(s), range(1024) b(slot);
INSERT INTO holders VALUES ('wallets', true, true, false, NULL, false, 'shard currency status in_flight_micros updated_us');
INSERT INTO durability SELECT 'postgres', 'postgres-' || s, 'server', name, value FROM range(2) a(s), (VALUES
    ('fsync', 'on'), ('full_page_writes', 'on'), ('synchronous_commit', 'on'), ('wal_level', 'replica'), ('unlogged tables', '0')
) x(name, value);
INSERT INTO calls BY NAME
    SELECT k + 1 AS call_id, 'load' AS load, 'c' || (k % 50) AS client, 'transfer' AS operation, payer AS account,
           payee AS counterparty, 10000 AS amount_micros, 'USD' AS currency, 'run-' || k AS key, sent AS sent_us,
           sent + 20000 AS answered_us, 201 AS status, false AS may_be_resent, false AS replayed, id AS transaction_id,
           'success' AS state FROM t;
INSERT INTO calls BY NAME
    SELECT k + 1 AS call_id, 'load' AS load, 'c' || (k % 50) AS client, 'balance' AS operation, r.account AS account,
           1700000000000000 + k * 500 AS sent_us, 1700000000000000 + k * 500 + 3000 AS answered_us, 200 AS status, false AS may_be_resent,
           false AS replayed, r.account AS answered_account, x.balance_micros AS balance_micros, 'active' AS wallet_status,
           'USD' AS wallet_currency, x.version AS version, x.at_us AS updated_us
    FROM (SELECT k, (k * 6007) % 1000 AS i FROM range($calls) r(k) WHERE k % 2 = 1) z JOIN w r USING (i)
    ASOF JOIN postings x ON x.account = r.account AND 1700000000000000 + z.k * 500 + 1500 >= x.at_us;
INSERT INTO run VALUES ('synthetic', 'fresh', 1700000000000000 - 10, 1700000000000000 + $calls * 500 + 1000000, 1000, 500000);
