-- The epochs of the log. An epoch is one history of the log: within it, the log only grows. A reader stores the epoch
-- with its derived data. If the log has another epoch, log_shared_with() returns the last position that both share.
CREATE TABLE log_epochs (
    number integer PRIMARY KEY CHECK (number >= 1), -- the order of the epochs in this log
    -- Random, because two restores of one backup begin different epochs of the same number.
    epoch uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    after bigint NOT NULL CHECK (after >= 0), -- the head at its start: the last position shared with the epoch before
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

ALTER TABLE log_head
    ADD COLUMN epoch uuid REFERENCES log_epochs (epoch),
    ADD COLUMN server text; -- log_server() when the epoch began

-- The server, database and table that hold the log. A restored backup and a promoted standby differ in one of them
-- from the log that they continue, because each runs under another server process, or in a database or table that
-- was created again.
CREATE FUNCTION log_server() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('%s/%s/%s', extract(epoch FROM pg_postmaster_start_time()),
                  (SELECT oid FROM pg_database WHERE datname = current_database()), 'log_head'::regclass::oid)
$$;

-- The head and its epoch. The epoch is null until an epoch has begun on this server.
CREATE VIEW log_state AS
SELECT position, CASE WHEN server = log_server() THEN epoch END AS epoch FROM log_head;

CREATE FUNCTION add_epoch(head bigint, why text) RETURNS uuid LANGUAGE sql AS $$
    INSERT INTO log_epochs (number, after, reason)
    SELECT coalesce(max(number), 0) + 1, head, why FROM log_epochs
    RETURNING epoch
$$;

-- Begins an epoch at the current head. Waits for an append in flight.
CREATE FUNCTION begin_epoch(why text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    head bigint;
    begun uuid;
BEGIN
    SELECT position INTO head FROM log_head FOR UPDATE;
    begun := add_epoch(head, why);
    UPDATE log_head SET epoch = begun, server = log_server();
    RETURN begun;
END $$;

-- Begins an epoch if none has begun on this server. Every process calls it first when it opens the log.
CREATE FUNCTION continue_log() RETURNS SETOF log_state LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT s.epoch IS NULL FROM log_state s) THEN
        PERFORM FROM log_head FOR UPDATE;
        IF (SELECT s.epoch IS NULL FROM log_state s) THEN -- no other session has begun one meanwhile
            PERFORM begin_epoch('the server was started, restored or promoted');
        END IF;
    END IF;
    RETURN QUERY SELECT * FROM log_state;
END $$;

-- The last position that this log shares with the reader's epoch; null if this log never had that epoch. A reader
-- without an epoch is older than epochs, so it counts as one of the first epoch.
CREATE FUNCTION log_shared_with(reader uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT least((SELECT position FROM log_head),
                 (SELECT min(later.after) FROM log_epochs later WHERE later.number > own.number))
    FROM log_epochs own
    WHERE own.epoch = reader OR (reader IS NULL AND own.number = 1)
$$;

CREATE FUNCTION begin_epoch_when_set_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := add_epoch(NEW.position, format('the head was set back from position %s', OLD.position));
    NEW.server := log_server();
    RETURN NEW;
END $$;

CREATE TRIGGER a_set_back_log_begins_an_epoch BEFORE UPDATE ON log_head
    FOR EACH ROW WHEN (NEW.position < OLD.position) EXECUTE FUNCTION begin_epoch_when_set_back();

GRANT SELECT, INSERT ON log_epochs TO wallet_service;
GRANT SELECT ON log_state TO wallet_service;

SELECT begin_epoch('the first');
UPDATE log_epochs SET after = 0; -- events from before this migration belong to the first epoch
