"""The projection's named SQL, from the files beside this module."""

from importlib.resources import files

from wallet_kernel.runtime.books_watch import compare_with


def _read(name: str) -> str:
    return (files("wallet_cqrs.projection") / "sql" / f"{name}.sql").read_text()


WRITE = _read("write")
WALLETS = _read("wallets")

LOCK_CHECKPOINT = "SELECT position, epoch, stopped FROM checkpoint FOR UPDATE"
"""The first statement of every transaction: two projections of one partition take turns, and a rebuild that swaps
the model waits for both."""

STOP = "UPDATE checkpoint SET stopped = $1"
RESUME = "UPDATE checkpoint SET stopped = NULL, diverged = false"
PROGRESS = "SELECT position, epoch, stopped FROM checkpoint"

ADOPT = "UPDATE checkpoint SET epoch = $1 WHERE position <= $2"
"""Only while the model has nothing that the log does not have: another projection may have gone on meanwhile."""

DIVERGE = """UPDATE checkpoint SET diverged = true, stopped = $1
WHERE position >= $2 AND epoch IS NOT DISTINCT FROM $3"""
"""Only the model that was compared with the log, not one that a rebuild has put in its place."""

COMPARE = compare_with("postings")
