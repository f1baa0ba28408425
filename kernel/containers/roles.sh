#!/bin/sh
# Runs once, when a database's volume is new: the database and its two roles, as the lab makes them natively.
# PGDATABASE is what the compose file calls the database; no two of a stack have the same name.
set -eu
word() { cat "/run/secrets/$1"; }

# The words go through stdin, where no process list shows them; secret_files.py lets none through that SQL could trip on.
psql --set=ON_ERROR_STOP=1 --no-psqlrc --quiet --username=postgres --dbname=postgres <<END
CREATE ROLE wallet_owner LOGIN PASSWORD '$(word owner/database_owner)';
CREATE ROLE wallet_service LOGIN PASSWORD '$(word service/database_service)';
CREATE DATABASE $PGDATABASE OWNER wallet_owner;
REVOKE ALL ON DATABASE $PGDATABASE FROM PUBLIC;
GRANT CONNECT ON DATABASE $PGDATABASE TO wallet_service;
-- The image wants a password for its superuser; without one it comes in through the container's own socket only.
ALTER ROLE postgres PASSWORD NULL;
END
