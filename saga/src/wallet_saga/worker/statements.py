"""The worker's SQL statements, from the files in `sql/`."""

from functools import partial

from wallet_kernel.database import read_statement
from wallet_kernel.runtime.ledger_metrics import compare_with

_read = partial(read_statement, "wallet_saga.worker")

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
"""Begins the transaction that sums all wallets. It may scan and take longer, because it is not on the hot path."""

BECOME_WRITER = "SELECT pg_try_advisory_lock(2)"
"""Takes the writer's lock of the shard, and returns false if another session has it. The lock belongs to the session
that writes and ends only with it. So if a statement of this session succeeds, no other worker has written since it took
the lock."""

NOW_BETWEEN_BATCHES = "SELECT statement_timestamp() FROM pg_advisory_xact_lock_shared(1)"
"""Returns the time after the current batch has ended, because the postings of that batch may have an earlier time.

The lock ends with this statement, so the next batch does not wait for the reads that follow. Its postings have later
times than the returned one."""
