"""The relations that the checker reads: the calls of clients and the contents of the databases, in one shape.

Each relation is one Parquet file in the evidence folder, `NAME.parquet`. If an architecture does not have a relation,
its file is empty. Units: amounts are micros (10^-6 of the currency); `_us` is microseconds since 1970 UTC. Transaction
ids are lower-case UUIDs with dashes. NULL means "none" or "not known", as each column says.
"""

from typing import Literal, NamedTuple

Type = Literal["VARCHAR", "BIGINT", "HUGEINT", "BOOLEAN"]
"""A type of DuckDB. HUGEINT (128 bits) is for system accounts and sums, because they have no limit."""


class Column(NamedTuple):
    """A column: its name, its type, its meaning, and whether it may be NULL."""

    name: str
    type: Type
    meaning: str
    nullable: bool = False


class Relation(NamedTuple):
    """A relation: its name, its meaning, and its columns in order."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    @property
    def ddl(self) -> str:
        """The statement that creates the empty relation."""
        return f"CREATE TABLE {self.name} ({', '.join(map(_ddl, self.columns))})"


def _ddl(column: Column) -> str:
    return f"{column.name} {column.type}{'' if column.nullable else ' NOT NULL'}"


def _text(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, "VARCHAR", meaning, nullable)


def _number(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, "BIGINT", meaning, nullable)


def _flag(name: str, meaning: str) -> Column:
    return Column(name, "BOOLEAN", meaning)


RUN = Relation(
    "run",
    "One row: the run that the evidence is about.",
    (
        _text("architecture", "name of the architecture; only for sentences"),
        _text(
            "reads",
            "'fresh': a read shows every change acknowledged before it. 'positions': only with min_position",
        ),
        _number("began_us", "before the first call, by the wall clock of the machine"),
        _number("taken_us", "after the last row was read, by the same clock"),
        _number(
            "settled_us", "how long the checker waited for open work; NULL: it did not end", nullable=True
        ),
        _number("clock_skew_us", "the largest difference that the rules allow between two machines' clocks"),
    ),
)

CALLS = Relation(
    "calls",
    "One row a call that a client sent, reads included, as the client saw it.",
    (
        _number("call_id", "unique in the run"),
        _text("load", "the run of the load generator, such as a warm-up"),
        _text(
            "client", "a client sends one call after another; unique across loads; http.batch is many clients"
        ),
        _text("part", "a part of the scenario", nullable=True),
        _text(
            "operation",
            "open, transfer, deposit, withdraw, freeze, unfreeze, close, balance, balance_at, statement or lookup",
        ),
        _text("account", "the wallet in the path or the payer; '' for a lookup"),
        _text("counterparty", "the payee of a transfer", nullable=True),
        _number(
            "amount_micros",
            "the amount that was sent; 0 for an opening without balance; NULL for other operations",
            nullable=True,
        ),
        _text("currency", "the currency that was sent", nullable=True),
        _text("key", "the Idempotency-Key", nullable=True),
        _text("transaction_id_asked", "the id of a lookup", nullable=True),
        _number("at_asked_us", "the moment of balance_at", nullable=True),
        _number("min_position", "the position that the read waits for", nullable=True),
        _text("cursor", "the cursor of a statement's page", nullable=True),
        _number("limit_asked", "the limit of a statement's page", nullable=True),
        _number(
            "sent_us",
            "just before the call was sent: the wall clock at the load's begin plus the monotonic time since",
        ),
        _number("answered_us", "just after the answer or the timeout, by the same clock"),
        _number("status", "HTTP status; 0: no answer"),
        _text("problem", "the last word of the problem's type, such as insufficient-funds", nullable=True),
        _flag(
            "may_be_resent",
            "the connection may have broken, so that the HTTP library sent the call with its key a second time",
        ),
        _flag("replayed", "the answer has Idempotent-Replayed: true"),
        _text("transaction_id", "from the answer, problems included", nullable=True),
        _text(
            "state", "the word `status` of a transfer's answer: success, pending or refused", nullable=True
        ),
        _text("answered_account", "accountId of a wallet in the answer", nullable=True),
        _number("balance_micros", "balance of a wallet in the answer", nullable=True),
        _text("wallet_status", "status of a wallet in the answer", nullable=True),
        _text("wallet_currency", "currency of a wallet in the answer", nullable=True),
        _number("version", "version of a wallet in the answer", nullable=True),
        _number("position", "position in the answer", nullable=True),
        _number("updated_us", "lastUpdated of a wallet in the answer", nullable=True),
        _text("body", "the JSON text of the answer of a statement or lookup; NULL for others", nullable=True),
    ),
)

BASELINE = Relation(
    "baseline",
    "The wallets when the run began, after seeding. Empty: not taken, so the history before `began_us` is given.",
    (
        _text("account", "the wallet"),
        _text("currency", ""),
        _text("status", "active, frozen or closed"),
        _number("balance_micros", ""),
        _number("version", ""),
    ),
)

DECIDED = Relation(
    "decided",
    "The number of decisions when the run began, refusals included. Empty: not taken.",
    (
        _number("shard", "number of the database; NULL if one database holds all", nullable=True),
        _number("decisions", "the rows that `transfers` had"),
    ),
)

HOLDERS = Relation(
    "holders",
    "The places that keep wallets or copies of postings. The adapter knows them.",
    (
        _text("holder", "such as 'wallets', 'read model', 'snapshots' or 'cache'"),
        _flag("is_complete", "it must hold every wallet"),
        _flag("is_current", "it must show each wallet's newest version"),
        _flag(
            "may_be_older", "an older entry passes, because readers know that it can be old and it expires"
        ),
        _number("expires_within_us", "every entry expires within this time; NULL: none does", nullable=True),
        _flag("lists_postings", "it must list every posting that moves money"),
        _text("stores", "the columns of `wallets` that may be NULL and that it stores, with spaces between"),
    ),
)

TIMELINE_STEPS = Relation(
    "timeline_steps",
    "The moments of a transfer that its timeline shows, and the name of each step. The adapter knows them.",
    (
        _text(
            "moment",
            "refused, started, paid or received (the posting of payer or payee), credited, credit-refused, completed"
            " or refunded",
        ),
        _text("kind", "transfer, opening, deposit or withdrawal"),
        _text("step", "the name in the timeline"),
    ),
)

WALLETS = Relation(
    "wallets",
    "Stored wallets: one row per holder and wallet (and version, if the holder is not current).",
    (
        _text("holder", "see holders"),
        _number("shard", "number of the database; NULL if the holder is not sharded", nullable=True),
        _text("account", ""),
        _text("currency", "", nullable=True),
        _text("status", "active, frozen or closed", nullable=True),
        _number("balance_micros", ""),
        _number("in_flight_micros", "debited for open transfers; NULL if the holder has none", nullable=True),
        _number("version", ""),
        _number("updated_us", "", nullable=True),
        _number("position", "the position that the row reflects", nullable=True),
        _text("epoch", "the epoch of the log that the row was derived from", nullable=True),
        _number("expires_us", "when the entry expires; NULL: never", nullable=True),
    ),
)

POSTINGS = Relation(
    "postings",
    "The truth: every change of every wallet, one row a version. Status changes have amount 0 and no transaction.",
    (
        _number("shard", "number of the database; NULL if one database holds all", nullable=True),
        _text("account", ""),
        _number("version", "1 for the opening, then without gaps"),
        _text("kind", "opening, transfer, refund, deposit, withdrawal, frozen, unfrozen or closed"),
        _text("transaction_id", "NULL for status changes", nullable=True),
        _number("amount_micros", "+ into the wallet, - out of it"),
        _text("currency", "as stored with the entry; NULL if it is not stored", nullable=True),
        _text("counterparty", "NULL for status changes", nullable=True),
        _number("balance_micros", "balance after it, as stored; NULL if it is not stored", nullable=True),
        _number("at_us", "by the database's clock"),
        _number("position", "position in the log; NULL without a log", nullable=True),
    ),
)

LISTED = Relation(
    "listed",
    "Copies of postings in derived stores. Only postings that move money.",
    (
        _text("holder", "see holders"),
        _number("shard", ""),
        _text("account", ""),
        _number("version", ""),
        _text("kind", ""),
        _text("transaction_id", ""),
        _number("amount_micros", ""),
        _text("counterparty", ""),
        _number("balance_micros", ""),
        _number("at_us", ""),
    ),
)

TRANSFERS = Relation(
    "transfers",
    "Every decision about money, refusals included: transfers, openings, deposits and withdrawals.",
    (
        _number("shard", "number of the database; NULL if one database holds all", nullable=True),
        _text("transaction_id", ""),
        _text("kind", "transfer, opening, deposit or withdrawal"),
        _text("payer", "@external for openings and deposits"),
        _text("payee", "@external for withdrawals"),
        _number("amount_micros", ""),
        _text("currency", ""),
        _text(
            "state",
            "pending: debited and not ended. completed. refunded: debited, then compensated. refused: no postings",
        ),
        _text("reason", "of a refusal", nullable=True),
        _text("refused_by", "the wallet that refused, if it is stored", nullable=True),
        _text("owner", "scope of the key: the payer, or the payee if the money comes from outside"),
        _text("key", "", nullable=True),
        _text("fingerprint", "of the request's meaning, as hex; NULL without a key", nullable=True),
        _number("started_us", ""),
        _number("ended_us", "NULL while pending, or if it is not stored", nullable=True),
        _number("first_position", "of its events; NULL without a log or events", nullable=True),
        _number(
            "last_position", "of its events, or the head at a refusal; NULL without a log", nullable=True
        ),
    ),
)

CREDITS = Relation(
    "credits",
    "The barrier of the credit step (only if the architecture has one): one row for each outcome of a credit, except"
    " credits that were in the transaction of their debit.",
    (
        _number("shard", ""),
        _text("transaction_id", ""),
        _text("reason", "of a refusal; NULL: credited", nullable=True),
        _number("at_us", ""),
    ),
)

SYSTEM_ACCOUNTS = Relation(
    "system_accounts",
    "The other side of the postings: @external, and @transit for money between payer and payee.",
    (
        _text("holder", "'books' or the derived store"),
        _number("shard", ""),
        _text("name", "@external or @transit"),
        _text("currency", ""),
        Column("balance_micros", "HUGEINT", ""),
    ),
)

POSITIONS = Relation(
    "positions",
    "Positions in the log: its head, and the checkpoints of those that follow it.",
    (
        _text("name", "'head', 'relay', or the database that follows, as in `topology`"),
        _number("position", ""),
        _text("epoch", "", nullable=True),
        _text("stopped", "why it is stopped; NULL: it is not", nullable=True),
        _flag("must_be_at_head", "after open work has ended"),
    ),
)

EPOCHS = Relation(
    "epochs",
    "The histories of the log, in order.",
    (
        _number("number", "from 1"),
        _text("epoch", ""),
        _number("after_position", "the last position that it shares with the epoch before"),
        _text("reason", ""),
        _number("at_us", ""),
    ),
)

TOPOLOGY = Relation(
    "topology",
    "The distribution of slots as each database stores it: one row per database and slot.",
    (
        _text("database", "such as 'shard 0' or 'events'"),
        _number("shard", "the number of the database; NULL if it holds all", nullable=True),
        _number("shards", "the number of shards"),
        _number("slot", "0 to 1023"),
        _number("owner", "the shard that owns the slot"),
    ),
)

DURABILITY = Relation(
    "durability",
    "Settings of running servers that an acknowledgement relies on.",
    (
        _text("kind", "postgres, broker or cache"),
        _text("server", "such as 'postgres-0'"),
        _text("scope", "'server', 'database NAME', 'role NAME', 'session of USER', or a queue's name"),
        _text("name", "of the setting"),
        _text("value", "as the server reports it"),
    ),
)

RELATIONS = (
    RUN,
    CALLS,
    BASELINE,
    DECIDED,
    HOLDERS,
    TIMELINE_STEPS,
    WALLETS,
    POSTINGS,
    LISTED,
    TRANSFERS,
    CREDITS,
    SYSTEM_ACCOUNTS,
    POSITIONS,
    EPOCHS,
    TOPOLOGY,
    DURABILITY,
)
