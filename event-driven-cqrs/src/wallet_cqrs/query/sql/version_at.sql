-- Finds the version of wallet $1 at moment $2 (0 before its first event) by bisection over its events. This works because
-- their times never decrease and their versions have no gaps.
WITH RECURSIVE search(low, high) AS (
    SELECT 0::bigint, coalesce((SELECT version FROM events WHERE stream_id = $1 ORDER BY version DESC LIMIT 1), 0)
    UNION ALL
    SELECT CASE WHEN e.at <= $2 THEN e.version ELSE s.low END,
           CASE WHEN e.at <= $2 THEN s.high ELSE e.version - 1 END
    FROM search s JOIN events e ON e.stream_id = $1 AND e.version = (s.low + s.high + 1) / 2
    WHERE s.low < s.high
)
SELECT low FROM search WHERE low = high
