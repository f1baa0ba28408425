-- Selects the events of each stream in $1 after its version in $2 up to its version in $3, in order of versions.
SELECT e.stream_id, e.version, e.type, e.schema_version, e.data, e.at
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS stream(id, after, until, n)
CROSS JOIN LATERAL (
    SELECT stream_id, version, type, schema_version, data, at FROM events
    WHERE stream_id = stream.id AND version > stream.after AND version <= stream.until
) AS e
ORDER BY stream.n, e.version
