-- Selects the events after position $1 up to $2, in order.
SELECT stream_id, version, type, schema_version, data, at
FROM events
WHERE position > $1 AND position <= $2
ORDER BY position
