-- Returns the names of this service's transactions in this database that were prepared more than $1 ago.
SELECT gid FROM pg_prepared_xacts
WHERE database = current_database() AND gid ~ '^[0-9a-f-]{36}/[0-9]+$' AND prepared < now() - $1::interval
