"""Traces, off unless they are switched on: one transfer is one trace, across services and the broker.

Nothing has to travel with a message. A transaction id is a UUID, as long as the id of a trace, so it is that; every
service that sees the transfer knows it, and whether it is traced follows from its random bits, alike everywhere.
What took some time is told when it is over, so that a batch costs nothing more while nobody traces.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from wallet_kernel.runtime.settings import ServiceSettings

if TYPE_CHECKING:
    from wallet_kernel.runtime.spans import Spans

_spans: "Spans | None" = None


def configure_traces(service: str, settings: ServiceSettings) -> None:
    """Begins to send spans, if the settings say where to. As logs and metrics are, traces are the process' own."""
    global _spans  # noqa: PLW0603 -- see above
    if settings.traces_url:
        from wallet_kernel.runtime.spans import Spans  # noqa: PLC0415 -- costs time and memory only where it is used

        _spans = Spans(service, settings.traces_url, settings.traces_share)


class TracedTransaction:
    """The whole of a transaction, as its client sees it: whatever is done inside the context, and however it ends."""

    __slots__ = ("_begin_ns", "_name", "_transaction_id")

    def __init__(self, name: str, transaction_id: UUID) -> None:
        self._name = name
        self._transaction_id = transaction_id

    def __enter__(self) -> None:
        self._begin_ns = time.time_ns()

    def __exit__(self, *_: object) -> None:
        if _spans is not None:
            _spans.root(self._name, self._transaction_id, self._begin_ns, time.time_ns())


def trace_step(name: str, transaction_ids: Iterable[UUID | None], begin_ns: int) -> None:
    """A step that these transactions took together: from `begin_ns`, Unix time, until now. None is no transaction."""
    if _spans is not None:
        end_ns = time.time_ns()
        for transaction_id in {one for one in transaction_ids if one is not None}:
            _spans.child(name, transaction_id, begin_ns, end_ns)
