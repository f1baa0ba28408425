"""The worker's named SQL, from the files beside this module."""

from importlib.resources import files

from wallet_kernel.runtime.books_watch import compare_with


def _read(name: str) -> str:
    return (files("wallet_saga.worker") / "sql" / f"{name}.sql").read_text()


LOAD = _read("load")
WRITE = _read("write")
CLAIM = _read("claim")
TRANSFER = _read("transfer")
CREDIT = _read("credit")
OPEN_SAGAS = _read("open_sagas")
BALANCE_AT = _read("balance_at")
STATEMENT = _read("statement")
UNFINISHED = _read("unfinished")
COMPARE = compare_with("ledger")

BEGIN_SUMMING = "BEGIN READ ONLY; SET LOCAL enable_seqscan = on; SET LOCAL statement_timeout = '60s'"
"""For the one statement that reads all wallets. It is off the hot path, so it may scan, and take its time."""

BECOME_WRITER = "SELECT pg_try_advisory_lock(2)"
"""One writer a shard: the lock belongs to the session that writes. It ends with that session and not before, so what
this session commits, no other worker has followed up."""

BEGIN_BATCH = "BEGIN; SELECT pg_advisory_xact_lock(1)"
"""Taken before the first read of a batch: a look at the past waits for the batch, and so does who loads a shard."""

NOW_BETWEEN_BATCHES = "SELECT statement_timestamp() FROM pg_advisory_xact_lock_shared(1)"
"""A look at the past waits for the batch being written, whose postings may carry an earlier time than now.

The lock ends with this statement, so the next batch does not wait for the reads that follow. Its postings are later
than this time."""
