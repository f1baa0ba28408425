"""Reads the record of calls that k6 has written: as the relation `calls`, and as transfers for figures."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import duckdb

from wallet_lab.errors import LabError
from wallet_lab.record.calls import Call

_MACROS = """
    CREATE OR REPLACE TEMP MACRO micros(amount) AS
        CASE WHEN abs(amount) < 10000000000000 AND amount * 1000000 = trunc(amount * 1000000)
             THEN TRY_CAST(amount * 1000000 AS BIGINT) END;
    CREATE OR REPLACE TEMP MACRO parameter(path, name) AS
        nullif(regexp_extract(path, '[?&]' || name || '=([^&]*)', 1), '');
"""
"""Amounts with more than six decimals, and those beyond the range of a wallet, are NULL."""
_READ = (files("wallet_lab.record") / "lines.sql").read_text()
_ADD = (files("wallet_lab.record") / "calls.sql").read_text()
_TRANSFERS = """
    SELECT coalesce(key, ''), sent_us / 1000, elapsed_ms, outcome, answered.transactionId, part
    FROM record WHERE operation = 'transfer' ORDER BY number
"""


def read_record(
    database: duckdb.DuckDBPyConnection,
    file: Path,
    *,
    requests: int | None = None,
    was_stopped: bool = False,
) -> list[Call]:
    """Read a record into the table `record`; returns its transfers.

    Args:
        database: gets the table, and loses the record that it has read before.
        file: the log of k6. Lines that are no calls are k6's own messages.
        requests: how many requests k6 has counted; None if it is not known.
        was_stopped: k6 was stopped before the end of its load, so it has not counted its last requests.

    Raises:
        LabError: the record is not complete or not readable, so nothing can be concluded from it.
    """
    with _named(file):
        database.execute(_MACROS)
        database.execute(_READ, {"file": str(file)})
        _check_complete(database, file, requests, was_stopped=was_stopped)
        return [Call(*row) for row in database.execute(_TRANSFERS).fetchall()]


def add_calls(database: duckdb.DuckDBPyConnection, load: str) -> None:
    """Add the record that was read to the relation `calls`. `load` names the run of k6 in it.

    Raises:
        LabError: a line of the record is damaged.
    """
    with _named(load):
        database.execute(_ADD, {"load": load})


@contextmanager
def _named(record: object) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise LabError(f"{record} is not a record of calls: {error}") from None


def _check_complete(
    database: duckdb.DuckDBPyConnection, file: Path, requests: int | None, *, was_stopped: bool
) -> None:
    (recorded,) = database.execute("SELECT count(*) FROM record").fetchall()[0]
    if not recorded and requests != 0:
        raise LabError(f"{file} contains no calls. Run k6 with -e CALLS=1 to record them.")
    if was_stopped and requests is not None:
        requests = max(requests, recorded)
    if requests is not None and recorded != requests:
        raise LabError(f"k6 sent {requests} requests and recorded {recorded}, so the record is not complete.")
