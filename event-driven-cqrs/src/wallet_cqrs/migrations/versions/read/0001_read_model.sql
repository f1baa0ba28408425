-- One read shard of the event-driven architecture. All its data is derived from the events of its partition and can be
-- rebuilt. All amounts are micros (10^-6).
--
-- Each read model has its own schema. Services find the live one, `read_model`, by their search path. A rebuild creates a
-- second schema with this function, and then swaps their names.
CREATE FUNCTION create_read_model(name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    path text := current_setting('search_path');
BEGIN
    EXECUTE format('CREATE SCHEMA %I', name);
    PERFORM set_config('search_path', quote_ident(name), true);

    -- Wallets as of the checkpoint.
    CREATE TABLE wallets (
        account_id text COLLATE "C" PRIMARY KEY,
        currency text NOT NULL,
        status text NOT NULL CHECK (status IN ('active', 'frozen', 'closed')),
        balance_micros bigint NOT NULL CHECK (balance_micros >= 0),
        version bigint NOT NULL CHECK (version >= 1),
        updated_at timestamptz NOT NULL,
        CHECK (status <> 'closed' OR balance_micros = 0)
    ) WITH (fillfactor = 70); -- free space in the page allows HOT updates

    -- The postings that statements list. The key also rejects an event that is applied twice.
    CREATE TABLE postings (
        account_id text COLLATE "C" NOT NULL,
        version bigint NOT NULL CHECK (version >= 1),
        kind text NOT NULL CHECK (kind IN ('opening', 'transfer', 'deposit', 'withdrawal')),
        transaction_id uuid NOT NULL,
        amount_micros bigint NOT NULL CHECK (amount_micros <> 0),
        balance_micros bigint NOT NULL CHECK (balance_micros >= 0),
        counterparty text NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (account_id, version)
    );

    -- The log position reached, in one row. The transaction that applies events also advances it.
    CREATE TABLE checkpoint (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        position bigint NOT NULL CHECK (position >= 0),
        stopped text -- why the partition is stopped: the event that cannot be applied
    ) WITH (fillfactor = 10);
    INSERT INTO checkpoint (position) VALUES (0);

    EXECUTE format('GRANT USAGE ON SCHEMA %I TO wallet_service', name);
    GRANT SELECT, INSERT, UPDATE ON wallets TO wallet_service;
    GRANT SELECT, INSERT ON postings TO wallet_service;
    GRANT SELECT, UPDATE ON checkpoint TO wallet_service;
    PERFORM set_config('search_path', path, true);
END $$;

REVOKE ALL ON FUNCTION create_read_model FROM PUBLIC;
SELECT create_read_model('read_model');
