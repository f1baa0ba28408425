-- The event store of the event-driven architecture: the log, decisions, snapshots, and the relay's checkpoint.
-- All amounts are micros (10^-6).

-- The last assigned position, in one row. An append locks the row first and advances it in the same transaction, so
-- positions have no gaps and are committed in order. A reader that tails the log therefore never misses an event.
CREATE TABLE log_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL CHECK (position >= 0)
) WITH (fillfactor = 10); -- free space in the page allows HOT updates
INSERT INTO log_head (position) VALUES (0);

CREATE TABLE events (
    position bigint PRIMARY KEY CHECK (position >= 1),
    stream_id text COLLATE "C" NOT NULL, -- the account
    version bigint NOT NULL CHECK (version >= 1),
    type text NOT NULL,
    schema_version smallint NOT NULL CHECK (schema_version >= 1),
    transaction_id uuid, -- status changes have none
    data bytea NOT NULL, -- JSON
    at timestamptz NOT NULL,
    -- Rejects concurrent writers that append the same version of a wallet.
    CONSTRAINT events_expected_version UNIQUE (stream_id, version)
);

-- Every decision about money, including refusals. It is the first response to an idempotency key; GET /transfers reads it.
CREATE TABLE decisions (
    transaction_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('transfer', 'opening', 'deposit', 'withdrawal')),
    from_account text NOT NULL,
    to_account text NOT NULL,
    amount_micros bigint NOT NULL CHECK (amount_micros >= 0),
    currency text NOT NULL,
    reason text,
    refused_by text, -- which of the two wallets refused
    first_position bigint, -- the decision's events are those from first_position to last_position
    last_position bigint NOT NULL, -- for a refusal, the log's head at the decision
    -- The scope of an idempotency key: the paying wallet, or the receiving wallet if the money comes from outside.
    owner text COLLATE "C" NOT NULL GENERATED ALWAYS AS
        (CASE WHEN kind IN ('transfer', 'withdrawal') THEN from_account ELSE to_account END) STORED,
    idempotency_key text COLLATE "C",
    fingerprint bytea,
    at timestamptz NOT NULL,
    CONSTRAINT decisions_refusals_have_reasons
        CHECK ((reason IS NULL) = (first_position IS NOT NULL) AND (reason IS NULL) = (refused_by IS NULL)),
    CONSTRAINT decisions_positions_in_order CHECK (first_position <= last_position)
);

CREATE UNIQUE INDEX decisions_idempotency ON decisions (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- A wallet after its first `version` events, so that loading folds few events. Snapshots can be derived again.
CREATE TABLE snapshots (
    stream_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    schema_version smallint NOT NULL,
    at timestamptz NOT NULL, -- of that version's event
    state bytea NOT NULL, -- JSON
    PRIMARY KEY (stream_id, version)
);

-- The broker has confirmed all events up to this position.
CREATE TABLE relay_checkpoint (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL CHECK (position >= 0)
) WITH (fillfactor = 10);
INSERT INTO relay_checkpoint (position) VALUES (0);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is immutable: % refused', TG_TABLE_NAME, TG_OP; END $$;

CREATE TRIGGER events_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decisions_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON decisions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON events, decisions, snapshots TO wallet_service;
GRANT SELECT, UPDATE ON log_head, relay_checkpoint TO wallet_service;
