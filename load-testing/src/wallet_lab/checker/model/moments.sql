-- When each version of each wallet can have come into being, by what clients saw: not before `earliest_us`, not after
-- `latest_us`. Versions from before the record have 0 for both.
CREATE TABLE status_calls AS
SELECT account, CASE operation WHEN 'freeze' THEN 'frozen' WHEN 'unfreeze' THEN 'unfrozen' ELSE 'closed' END AS kind,
       min(sent_us) AS earliest_us, count(*) AS calls
FROM answers WHERE operation IN ('freeze', 'unfreeze', 'close') AND outcome IN ('success', 'unknown', 'pending')
GROUP BY ALL;

-- An answer that shows a version proves that the version existed.
CREATE TABLE shown AS
SELECT b.account, b.version, min(a.answered_us) AS us
FROM answers a JOIN book b
    ON b.account = a.answered_account AND b.version = a.version AND b.balance = a.balance_micros
WHERE a.outcome = 'success' GROUP BY b.account, b.version;

-- If wallets store the money in flight, the debit is a step of its own, and it is done before 202 is answered.
CREATE TABLE debit_step AS
SELECT count(*) > 0 AS is_first FROM holders WHERE list_contains(string_split(stores, ' '), 'in_flight_micros');

CREATE TABLE moments AS
SELECT account, version, position, transaction_id, in_run,
       max(earliest_us) OVER (PARTITION BY account ORDER BY version) AS earliest_us,
       min(latest_us) OVER (PARTITION BY account ORDER BY version ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
           AS latest_us
FROM (
    SELECT b.account, b.version, b.position, b.transaction_id, b.in_run,
           CASE WHEN NOT b.in_run THEN 0 ELSE coalesce(c.earliest_us, k.earliest_us, 0) END AS earliest_us,
           CASE WHEN NOT b.in_run THEN 0
                ELSE least(coalesce(CASE WHEN d.is_first AND b.amount_micros < 0 THEN c.recorded_us ELSE c.latest_us END, 9223372036854775807),
                           coalesce(s.us, 9223372036854775807)) END AS latest_us
    FROM book b
    CROSS JOIN debit_step d
    LEFT JOIN claims c ON c.transaction_id = b.transaction_id
    LEFT JOIN status_calls k ON k.account = b.account AND k.kind = b.kind
    LEFT JOIN shown s ON s.account = b.account AND s.version = b.version
);

-- The same for each position of a log, because a log has one order for all wallets.
CREATE TABLE log_moments AS
SELECT position, account, version, transaction_id, max(earliest_us) OVER (ORDER BY position) AS earliest_us,
       min(latest_us) OVER (ORDER BY position ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS latest_us
FROM moments WHERE position IS NOT NULL;

-- For as-of joins: the newest version that surely existed before a moment, and that can have existed at a moment.
CREATE TABLE surely AS
SELECT account, latest_us AS us, max(version) AS version FROM moments WHERE latest_us < 9223372036854775807
GROUP BY account, latest_us;
CREATE TABLE maybe AS
SELECT account, earliest_us AS us, max(version) AS version FROM moments GROUP BY account, earliest_us;

-- The versions that a wallet can have had while a call was under way: from `low` to `high`; 0 is "not opened".
CREATE TABLE windows AS
WITH touched AS (
    SELECT call_id, account, sent_us, answered_us FROM answers WHERE account <> ''
    UNION ALL
    SELECT call_id, counterparty, sent_us, answered_us FROM answers WHERE counterparty IS NOT NULL
), begun AS ( -- a repeated call gets the answer of the first call with its key
    SELECT t.call_id, t.account, t.answered_us, coalesce(i.sent_us, t.sent_us) AS sent_us
    FROM touched t
    LEFT JOIN asked a ON a.call_id = t.call_id AND a.key IS NOT NULL
    LEFT JOIN (SELECT intent, min(sent_us) AS sent_us FROM asked WHERE key IS NOT NULL GROUP BY intent) i
        ON i.intent = a.intent
)
SELECT l.call_id, l.account, l.sent_us, l.answered_us, l.low, coalesce(m.version, 0) AS high
FROM (
    SELECT b.*, coalesce(s.version, 0) AS low
    FROM begun b ASOF LEFT JOIN surely s ON b.account = s.account AND b.sent_us > s.us
) l ASOF LEFT JOIN maybe m ON l.account = m.account AND l.answered_us >= m.us;
