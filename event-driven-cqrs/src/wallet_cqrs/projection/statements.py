"""The projection's SQL statements, some of them from the files in `sql/`."""

from functools import partial

from wallet_kernel.database import read_statement
from wallet_kernel.runtime.ledger_metrics import compare_with

_read = partial(read_statement, "wallet_cqrs.projection")

READ = _read("read")
WRITE = _read("write")

STOP = "UPDATE checkpoint SET stopped = $1"
RESUME = "UPDATE checkpoint SET stopped = NULL WHERE NOT diverged RETURNING true"
"""Not a diverged model, which only a rebuild replaces."""

PROGRESS = "SELECT position, epoch, stopped FROM checkpoint"

ADOPT = "UPDATE checkpoint SET epoch = $1 WHERE position <= $2"
"""Applies only if the model is not beyond the shared position: another projection may have advanced it."""

DIVERGE = """UPDATE checkpoint SET diverged = true, stopped = $1
WHERE position >= $2 AND epoch IS NOT DISTINCT FROM $3"""
"""Applies only to the model that was compared with the log, not to a newer one from a rebuild."""

COMPARE = compare_with("postings")
