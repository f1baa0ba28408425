#!/bin/sh
# Creates a database and its two roles, as the lab does natively. Runs once, when the database's volume is new.
# PGDATABASE is the database's name from the compose file. It is unique in a stack.
set -eu
word() { cat "/run/secrets/$1"; }

# The passwords go through stdin, because a process list would show arguments. secret_files.py allows only characters
# that are safe in SQL.
psql --set=ON_ERROR_STOP=1 --no-psqlrc --quiet --username=postgres --dbname=postgres <<END
CREATE ROLE wallet_owner LOGIN PASSWORD '$(word owner/database_owner)';
CREATE ROLE wallet_service LOGIN PASSWORD '$(word service/database_service)';
CREATE DATABASE $PGDATABASE OWNER wallet_owner;
REVOKE ALL ON DATABASE $PGDATABASE FROM PUBLIC;
GRANT CONNECT ON DATABASE $PGDATABASE TO wallet_service;
-- The image requires a password for its superuser. Removing it limits the superuser to the container's socket.
ALTER ROLE postgres PASSWORD NULL;
END
