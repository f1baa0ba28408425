-- The database of a baseline, or of one shard of a baseline: wallets, their ledger and the transfers that their payers
-- began. All amounts are micros (10^-6).

CREATE TABLE wallets (
    account_id text COLLATE "C" PRIMARY KEY,
    currency text NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'frozen', 'closed')),
    balance_micros bigint NOT NULL CHECK (balance_micros >= 0),
    version bigint NOT NULL CHECK (version >= 1),
    updated_at timestamptz NOT NULL,
    CONSTRAINT wallets_closed_is_empty CHECK (status <> 'closed' OR balance_micros = 0)
) WITH (fillfactor = 70); -- leaves room in the pages, so that updates need no new index entries

-- One entry for every version of every wallet: postings, and status changes with amount 0.
CREATE TABLE ledger (
    account_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    kind text NOT NULL CHECK (kind IN
        ('opening', 'transfer', 'deposit', 'withdrawal', 'frozen', 'unfrozen', 'closed')),
    transaction_id uuid,
    amount_micros bigint NOT NULL,
    balance_micros bigint NOT NULL CHECK (balance_micros >= 0),
    counterparty text,
    at timestamptz NOT NULL,
    PRIMARY KEY (account_id, version),
    CONSTRAINT ledger_status_changes_move_nothing
        CHECK ((kind IN ('frozen', 'unfrozen', 'closed')) = (transaction_id IS NULL)
               AND (transaction_id IS NOT NULL OR amount_micros = 0))
);

-- For reads of past balances: a wallet's last status change before a version may be a million postings away.
CREATE INDEX ledger_status_changes ON ledger (account_id, version) WHERE transaction_id IS NULL;

-- Every decided transfer, opening, deposit and withdrawal, also refused ones. A refusal names the wallet that refused.
CREATE TABLE transfers (
    transaction_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('transfer', 'opening', 'deposit', 'withdrawal')),
    from_account text NOT NULL,
    to_account text NOT NULL,
    amount_micros bigint NOT NULL CHECK (amount_micros >= 0),
    currency text NOT NULL,
    idempotency_key text,
    fingerprint bytea,
    reason text,
    refused_by text,
    at timestamptz NOT NULL,
    -- The scope of an idempotency key: the payer, or the receiver if the money comes from outside.
    owner text NOT NULL GENERATED ALWAYS AS
        (CASE WHEN kind IN ('transfer', 'withdrawal') THEN from_account ELSE to_account END) STORED,
    CONSTRAINT transfers_refusals_name_a_wallet CHECK ((reason IS NULL) = (refused_by IS NULL))
);

CREATE UNIQUE INDEX transfers_idempotency ON transfers (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- The other side of openings, deposits and withdrawals, per currency.
CREATE TABLE system_accounts (
    name text NOT NULL CHECK (name = '@external'),
    currency text NOT NULL,
    balance_micros numeric(38) NOT NULL, -- numeric, because the external account has no limit
    PRIMARY KEY (name, currency)
);

-- The coordinator's log of two-phase commit, on the payer's shard: the first outcome of a transfer that was written
-- is final. The other baselines leave it empty.
CREATE TABLE decisions (
    transaction_id uuid PRIMARY KEY,
    outcome text NOT NULL CHECK (outcome IN ('commit', 'abort'))
);

-- The topology: the number of this shard, the number of shards, and the shard that owns each slot. The migrations write
-- its one row once. Services compare it with their own settings and never change it.
CREATE TABLE topology (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shard integer NOT NULL CHECK (shard >= 0),
    shards integer NOT NULL CHECK (shards > shard),
    owners smallint[] NOT NULL CHECK (cardinality(owners) = 1024),
    CONSTRAINT topology_owners_exist CHECK (0 <= ALL (owners) AND shards > ALL (owners))
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is immutable: % refused', TG_TABLE_NAME, TG_OP; END $$;

CREATE TRIGGER ledger_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfers_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decisions_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON decisions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON ledger, transfers, decisions TO wallet_service;
GRANT SELECT, INSERT, UPDATE ON wallets, system_accounts TO wallet_service;
GRANT SELECT ON topology TO wallet_service;
