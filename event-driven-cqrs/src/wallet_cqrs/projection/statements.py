"""The projection's named SQL, from the files beside this module."""

from importlib.resources import files

from wallet_kernel.runtime.books_watch import compare_with


def _read(name: str) -> str:
    return (files("wallet_cqrs.projection") / "sql" / f"{name}.sql").read_text()


WRITE = _read("write")
WALLETS = _read("wallets")

LOCK_CHECKPOINT = "SELECT position, stopped FROM checkpoint FOR UPDATE"
"""The first statement of every transaction: two projections of one partition take turns, and a rebuild that swaps
the model waits for both."""

STOP = "UPDATE checkpoint SET stopped = $1"
RESUME = "UPDATE checkpoint SET stopped = NULL"
PROGRESS = "SELECT position, stopped FROM checkpoint"

COMPARE = compare_with("postings")
