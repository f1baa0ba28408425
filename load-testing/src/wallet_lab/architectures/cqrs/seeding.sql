-- Open the wallets $1 by the transactions $2 with $3 micros of currency $4 each, like the command service does.
-- Existing wallets are not changed. The caller holds the lock of the log's head.
WITH seeds AS (
    SELECT s.account_id, s.transaction_id, h.position + row_number() OVER () AS position
    FROM log_head h, unnest($1::text[], $2::uuid[]) AS s(account_id, transaction_id)
    WHERE NOT EXISTS (SELECT FROM events e WHERE e.stream_id = s.account_id AND e.version = 1)
), appended AS (
    INSERT INTO events (position, stream_id, version, type, schema_version, transaction_id, data, at)
    SELECT position, account_id, 1, 'WalletOpened', 1, transaction_id,
           convert_to(format('{"currency":"%s","balance_micros":%s}', $4::text, $3::bigint), 'UTF8'),
           statement_timestamp()
    FROM seeds
), decided AS (
    INSERT INTO decisions (transaction_id, kind, from_account, to_account, amount_micros, currency,
                           first_position, last_position, at)
    SELECT transaction_id, 'opening', '@external', account_id, $3::bigint, $4::text,
           position, position, statement_timestamp()
    FROM seeds
)
UPDATE log_head SET position = position + (SELECT count(*) FROM seeds)
