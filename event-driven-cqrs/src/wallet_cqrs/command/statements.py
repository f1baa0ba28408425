"""The command service's named SQL, from the files beside this module."""

from importlib.resources import files


def _read(name: str) -> str:
    return (files("wallet_cqrs.command") / "sql" / f"{name}.sql").read_text()


STREAMS = _read("streams")
TAILS = _read("tails")
CATCH_UP = _read("catch_up")
KNOWN = _read("known")
ADD_SNAPSHOTS = _read("add_snapshots")

HEAD = "SELECT epoch, position, clock_timestamp() AS now FROM log_state"

BEGIN_APPENDING = "BEGIN; SELECT FROM log_head FOR UPDATE"
"""Whoever appends waits here for its turn. What it reads afterwards, in statements of their own and so from
snapshots of their own, has everything that was appended before it; and the next one sees all that it appends."""

COMMIT_AT = "UPDATE log_head SET position = %d; NOTIFY wallet_events; COMMIT"
"""Advances the head, wakes the relay, and commits, in one round trip. Several statements at once take no parameters;
`%d` lets nothing in but an integer."""
