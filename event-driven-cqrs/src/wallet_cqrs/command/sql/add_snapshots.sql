-- Snapshots that are there already, say from another replica, stay as they are: they say the same.
INSERT INTO snapshots (stream_id, version, schema_version, at, state)
SELECT s.stream_id, s.version, $3, s.at, s.state
FROM unnest($1::text[], $2::bigint[], $4::timestamptz[], $5::bytea[]) AS s(stream_id, version, at, state)
ON CONFLICT (stream_id, version) DO NOTHING
