"""The command service's SQL statements, most of them from the files in `sql/`."""

from functools import partial

from wallet_kernel.database import read_statement

_read = partial(read_statement, "wallet_cqrs.command")

STREAMS = _read("streams")
TAILS = _read("tails")
CATCH_UP = _read("catch_up")
FIND_DECISIONS = _read("find_decisions")
APPEND = _read("append")
ADD_SNAPSHOTS = _read("add_snapshots")

HEAD = "SELECT epoch, position FROM log_state"

BEGIN_APPENDING = "BEGIN; SELECT FROM log_head FOR UPDATE"
"""Starts an append, after waiting for the lock on the head. Each later statement has its own snapshot, so it sees
everything that earlier appends committed. The next append sees everything that this one commits."""
