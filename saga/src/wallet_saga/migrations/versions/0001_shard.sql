-- One shard of the saga architecture: the wallets of its slots, their ledger, the saga log of the transfers they
-- pay, and the barrier of the credits they receive. All amounts are micros (10^-6).

CREATE TABLE wallets (
    account_id text COLLATE "C" PRIMARY KEY,
    currency text NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'frozen', 'closed')),
    balance_micros bigint NOT NULL CHECK (balance_micros >= 0),
    -- Money debited for transfers that have not ended. The balance must always have room for its refund.
    in_flight_micros bigint NOT NULL CHECK (in_flight_micros >= 0),
    version bigint NOT NULL CHECK (version >= 1),
    updated_at timestamptz NOT NULL,
    CONSTRAINT wallets_refund_fits CHECK (balance_micros <= 9223372036854775807 - in_flight_micros),
    CONSTRAINT wallets_closed_is_empty CHECK (status <> 'closed' OR (balance_micros = 0 AND in_flight_micros = 0))
) WITH (fillfactor = 70); -- leaves room in the pages, so that updates need no new index entries

-- One entry for every version of every wallet: postings, and status changes with amount 0.
CREATE TABLE ledger (
    account_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    kind text NOT NULL CHECK (kind IN
        ('opening', 'transfer', 'refund', 'deposit', 'withdrawal', 'frozen', 'unfrozen', 'closed')),
    transfer_id uuid,
    amount_micros bigint NOT NULL,
    balance_micros bigint NOT NULL CHECK (balance_micros >= 0),
    counterparty text,
    at timestamptz NOT NULL,
    PRIMARY KEY (account_id, version),
    CONSTRAINT ledger_status_changes_move_nothing
        CHECK ((kind IN ('frozen', 'unfrozen', 'closed')) = (transfer_id IS NULL)
               AND (transfer_id IS NOT NULL OR amount_micros = 0))
);

-- For reads of past balances: a wallet's last status change before a version may be a million postings away.
CREATE INDEX ledger_status_changes ON ledger (account_id, version) WHERE transfer_id IS NULL;

-- The saga log. A transfer is logged on its payer's shard, in the transaction that debits the payer.
-- Openings, deposits and withdrawals are logged here too. They begin and end in one local transaction.
CREATE TABLE transfers (
    transfer_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('transfer', 'opening', 'deposit', 'withdrawal')),
    state text NOT NULL CHECK (state IN ('debited', 'completed', 'refunded', 'refused')),
    from_account text NOT NULL,
    to_account text NOT NULL,
    amount_micros bigint NOT NULL CHECK (amount_micros >= 0),
    currency text NOT NULL,
    -- The scope of an idempotency key: the payer, or the receiver if the money comes from outside.
    owner text NOT NULL GENERATED ALWAYS AS
        (CASE WHEN kind IN ('transfer', 'withdrawal') THEN from_account ELSE to_account END) STORED,
    idempotency_key text,
    fingerprint bytea,
    reason text,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    lease_until timestamptz NOT NULL,
    CONSTRAINT transfers_open_until_ended CHECK ((state = 'debited') = (ended_at IS NULL)),
    CONSTRAINT transfers_refusals_have_reasons CHECK ((state IN ('refunded', 'refused')) = (reason IS NOT NULL))
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX transfers_idempotency ON transfers (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- For recovery, which claims the unfinished sagas with the oldest leases first.
CREATE INDEX transfers_unfinished ON transfers (lease_until) WHERE state = 'debited';

-- The barrier of the credit step: one row per transfer with its outcome, so that a duplicate gets the same outcome.
CREATE TABLE credits (
    transfer_id uuid PRIMARY KEY,
    reason text,
    at timestamptz NOT NULL
);

-- The other side of every posting, per currency, so that each shard's books sum to zero: @external for openings,
-- deposits and withdrawals; @transit for money between the payer and the payee of a transfer.
CREATE TABLE system_accounts (
    name text NOT NULL CHECK (name IN ('@external', '@transit')),
    currency text NOT NULL,
    balance_micros numeric(38) NOT NULL, -- numeric, because the external account has no limit
    PRIMARY KEY (name, currency)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is immutable: % refused', TG_TABLE_NAME, TG_OP; END $$;

CREATE TRIGGER ledger_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER credits_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON credits
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON ledger, credits TO wallet_service;
GRANT SELECT, INSERT, UPDATE ON wallets, transfers, system_accounts TO wallet_service;
