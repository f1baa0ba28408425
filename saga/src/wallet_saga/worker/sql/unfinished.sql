-- Returns the number of unfinished sagas, how many of them wait for recovery, and the age of the oldest in seconds.
SELECT count(*) AS sagas, count(*) FILTER (WHERE lease_until < now()) AS abandoned,
       coalesce(extract(epoch FROM now() - min(started_at)), 0)::float8 AS oldest_s
FROM transfers WHERE state = 'debited'
