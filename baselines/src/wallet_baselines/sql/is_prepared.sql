-- Returns whether this database has a prepared transaction $1. Postgres forgets it after its changes became visible.
SELECT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database() AND gid = $1)
