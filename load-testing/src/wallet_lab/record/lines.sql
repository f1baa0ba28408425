-- Read the record of calls $file of the load $load. lib/record.js writes it, README.md describes it.
-- The path has the operation's parameters, `sent` the request's document, `answered` the answer's.
CREATE OR REPLACE TEMP TABLE record AS
WITH lines AS (
    SELECT row_number() OVER () AS number, string_split(line, chr(9)) AS field
    FROM read_csv($file, columns = {line: 'VARCHAR'}, delim = chr(1), quote = '', escape = '', header = false,
                  auto_detect = false, new_line = '\n', max_line_size = 16777216)
), timed AS (
    -- A file can have several runs, one after the other. Each begins with the line of its clock.
    SELECT *, last_value(CASE WHEN field[1] = 'clock' THEN CAST(field[2] AS DECIMAL(20, 6)) * 1000 END IGNORE NULLS)
        OVER (ORDER BY number) AS start_us
    FROM lines WHERE field[1] IN ('clock', 'call', 'sent')
), ends AS (
    SELECT start_us, max(greatest(CAST(field[5] AS DECIMAL(18, 6)), CAST(nullif(field[6], '') AS DECIMAL(18, 6)))) AS last_ms
    FROM timed WHERE field[1] <> 'clock' GROUP BY start_us
), unanswered AS (
    -- If a load was stopped, the last requests have no answer. They count as calls that ended with the load.
    SELECT number, list_concat(field[:5], [CAST(last_ms AS VARCHAR), '0', '0', 'unknown:stopped', '', ''], field[12:]) AS field, start_us
    FROM timed s JOIN ends USING (start_us)
    WHERE field[1] = 'sent' AND NOT EXISTS (
        FROM timed c WHERE c.field[1] = 'call' AND (c.start_us, c.field[2], c.field[5]) = (s.start_us, s.field[2], s.field[5])
    )
), calls AS (
    SELECT number, field, start_us, array_to_string(field[15:], chr(9)) AS body
    FROM (SELECT number, field, start_us FROM timed WHERE field[1] = 'call' AND start_us IS NOT NULL UNION ALL FROM unanswered)
)
SELECT
    number,
    field[2] AS client,
    field[3] AS part,
    field[4] AS operation,
    -- Rounded outwards, because a call must not seem to end before another begins if it may have ended later.
    CAST(floor(start_us + CAST(field[5] AS DECIMAL(18, 6)) * 1000) AS BIGINT) AS sent_us,
    CAST(ceil(start_us + CAST(field[6] AS DECIMAL(18, 6)) * 1000) AS BIGINT) AS answered_us,
    CAST(field[7] AS DOUBLE) AS elapsed_ms,
    CAST(field[8] AS BIGINT) AS status,
    field[9] AS outcome,
    field[10] = 'replayed' AS replayed,
    field[11] = 'resent' AND field[12] <> '' AS may_be_resent,
    nullif(field[12], '') AS key,
    field[13] AS path,
    json_transform(nullif(field[14], ''), '{
        "fromAccount": "VARCHAR", "toAccount": "VARCHAR", "accountId": "VARCHAR", "currency": "VARCHAR",
        "amount": "DECIMAL(38, 12)", "balance": "DECIMAL(38, 12)"
    }') AS sent,
    CASE WHEN json_valid(body) THEN json_transform(body, '{
        "type": "VARCHAR", "transactionId": "VARCHAR", "status": "VARCHAR", "accountId": "VARCHAR",
        "currency": "VARCHAR", "balance": "DECIMAL(38, 12)", "version": "BIGINT", "position": "BIGINT",
        "lastUpdated": "VARCHAR"
    }') END AS answered,
    body
FROM calls;
