-- The newest snapshot of each stream in $1 that was written in schema $2.
SELECT s.state
FROM unnest($1::text[]) AS stream(id)
CROSS JOIN LATERAL (
    SELECT state FROM snapshots
    WHERE stream_id = stream.id AND schema_version = $2
    ORDER BY version DESC
    LIMIT 1
) AS s
