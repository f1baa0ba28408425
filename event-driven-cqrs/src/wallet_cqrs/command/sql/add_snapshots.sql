-- Adds snapshots. Existing ones, for example of another replica, stay because they have the same content. A snapshot is
-- skipped if its event is not in the log, because the log was restored meanwhile.
INSERT INTO snapshots (stream_id, version, schema_version, at, state)
SELECT s.stream_id, s.version, $3, s.at, s.state
FROM unnest($1::text[], $2::bigint[], $4::timestamptz[], $5::bytea[]) AS s(stream_id, version, at, state)
JOIN events AS e ON e.stream_id = s.stream_id AND e.version = s.version AND e.at = s.at
ON CONFLICT (stream_id, version) DO NOTHING
