-- Returns the names of transactions of this database that were prepared more than $1 ago.
SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND prepared < now() - $1::interval
