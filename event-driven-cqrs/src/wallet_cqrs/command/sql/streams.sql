-- Of each stream in $1 the version of its last event, 0 without any, and its newest snapshot that was written in schema
-- $2, if there is one. The event of a snapshot must be in the log: a snapshot of a log that was set back would bring
-- lost money back.
SELECT stream.id, coalesce(newest.version, 0), snapshot.state
FROM unnest($1::text[]) AS stream(id)
LEFT JOIN LATERAL (
    SELECT version FROM events WHERE stream_id = stream.id ORDER BY version DESC LIMIT 1
) AS newest ON true
LEFT JOIN LATERAL (
    SELECT state FROM snapshots
    JOIN events USING (stream_id, version, at)
    WHERE stream_id = stream.id AND snapshots.schema_version = $2
    ORDER BY version DESC
    LIMIT 1
) AS snapshot ON true
