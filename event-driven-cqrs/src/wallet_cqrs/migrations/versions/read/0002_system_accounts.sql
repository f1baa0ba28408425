-- A read model also keeps the counterparties of its postings, so that a check can sum its ledger to zero.
CREATE OR REPLACE FUNCTION create_read_model(name text) RETURNS void LANGUAGE plpgsql AS $$
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

    -- The counterparty of every posting, so that each read shard's ledger sums to zero: @external for openings, deposits
    -- and withdrawals, @transit for transfers. @transit sums to zero over all read shards at the same position.
    CREATE TABLE system_accounts (
        name text NOT NULL CHECK (name IN ('@external', '@transit')),
        currency text NOT NULL,
        balance_micros numeric(38) NOT NULL, -- the external account has no limit
        PRIMARY KEY (name, currency)
    );

    -- The log position reached, in one row. The transaction that applies events also advances it.
    CREATE TABLE checkpoint (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        position bigint NOT NULL CHECK (position >= 0),
        stopped text -- why the partition is stopped: the event that cannot be applied
    ) WITH (fillfactor = 10);
    INSERT INTO checkpoint (position) VALUES (0);

    EXECUTE format('GRANT USAGE ON SCHEMA %I TO wallet_service', name);
    GRANT SELECT, INSERT, UPDATE ON wallets, system_accounts TO wallet_service;
    GRANT SELECT, INSERT ON postings TO wallet_service;
    GRANT SELECT, UPDATE ON checkpoint TO wallet_service;
    PERFORM set_config('search_path', path, true);
END $$;

-- Adds the same objects to the live model as the function adds to new ones.
CREATE TABLE read_model.system_accounts (
    name text NOT NULL CHECK (name IN ('@external', '@transit')),
    currency text NOT NULL,
    balance_micros numeric(38) NOT NULL,
    PRIMARY KEY (name, currency)
);
GRANT SELECT, INSERT, UPDATE ON read_model.system_accounts TO wallet_service;
INSERT INTO read_model.system_accounts (name, currency, balance_micros)
SELECT CASE kind WHEN 'transfer' THEN '@transit' ELSE '@external' END, currency, -sum(amount_micros)
FROM read_model.postings JOIN read_model.wallets USING (account_id)
GROUP BY 1, 2;
