-- Selects, for each stream in $1, the version of its last event (0 without events) and its newest snapshot of schema
-- version $2, if there is one. The snapshot's event must be in the log: otherwise a snapshot from before a restore would
-- bring back lost money.
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
