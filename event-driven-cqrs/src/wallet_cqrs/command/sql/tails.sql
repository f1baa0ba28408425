-- Of each stream in $1 up to $3 events after its version in $2; each stream in order.
SELECT e.stream_id, e.version, e.type, e.schema_version, e.data, e.at
FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS stream(id, version, n)
CROSS JOIN LATERAL (
    SELECT stream_id, version, type, schema_version, data, at FROM events
    WHERE stream_id = stream.id AND version > stream.version
    ORDER BY version
    LIMIT $3
) AS e
ORDER BY stream.n, e.version
