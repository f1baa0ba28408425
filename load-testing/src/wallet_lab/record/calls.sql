-- Add the record that lines.sql has read to the relation `calls` (checker/schema.py).
INSERT INTO calls BY NAME
SELECT
    (SELECT coalesce(max(call_id), 0) FROM calls) + number AS call_id,
    $load AS load,
    $load || ' ' || client AS client,
    part,
    operation,
    CASE
        WHEN operation = 'transfer' THEN sent.fromAccount
        WHEN operation = 'open' THEN sent.accountId
        ELSE regexp_extract(path, '^/wallets/([^/?]+)', 1)
    END AS account,
    sent.toAccount AS counterparty,
    CASE
        WHEN operation = 'open' AND sent.balance IS NULL THEN 0
        WHEN operation = 'open' THEN micros(sent.balance)
        ELSE micros(sent.amount)
    END AS amount_micros,
    sent.currency AS currency,
    key,
    nullif(regexp_extract(path, '^/transfers/([^/?]+)', 1), '') AS transaction_id_asked,
    epoch_us(CAST(parameter(path, 'at') AS TIMESTAMPTZ)) AS at_asked_us,
    CAST(parameter(path, 'min_position') AS BIGINT) AS min_position,
    parameter(path, 'cursor') AS "cursor",
    CAST(parameter(path, 'limit') AS BIGINT) AS limit_asked,
    sent_us,
    answered_us,
    status,
    nullif(regexp_extract(answered.type, '^/problems/(.+)$', 1), '') AS problem,
    may_be_resent,
    replayed,
    answered.transactionId AS transaction_id,
    CASE WHEN status < 400 AND operation IN ('transfer', 'deposit', 'withdraw') THEN answered.status END AS state,
    answered.accountId AS answered_account,
    micros(answered.balance) AS balance_micros,
    CASE WHEN answered.accountId IS NOT NULL THEN answered.status END AS wallet_status,
    CASE WHEN answered.accountId IS NOT NULL THEN answered.currency END AS wallet_currency,
    answered.version AS version,
    answered.position AS position,
    epoch_us(TRY_CAST(answered.lastUpdated AS TIMESTAMPTZ)) AS updated_us,
    CASE WHEN operation IN ('statement', 'lookup') THEN nullif(body, '') END AS body
FROM record;
