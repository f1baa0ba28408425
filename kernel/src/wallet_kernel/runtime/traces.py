"""Traces, off by default: one transfer is one trace, across services and the broker.

Messages carry no trace context. The transaction id, a UUID, is as long as a trace id and is used as the trace id, and
every service that handles the transfer knows it. Its random bits determine whether the transfer is traced, with the
same result in every service. Spans are recorded when a step ends, so that a batch costs nothing while traces are off.
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
    """Starts sending spans if the settings have an address. Traces belong to the process, as logs and metrics do."""
    global _spans  # noqa: PLW0603 -- traces belong to the process
    if settings.traces_url:
        from wallet_kernel.runtime.spans import Spans  # noqa: PLC0415 -- the SDK costs time and memory

        _spans = Spans(service, settings.traces_url, settings.traces_share)


class TracedTransaction:
    """Records the root span of a transaction: everything inside the context, however it ends."""

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
    """Records a step of these transactions from `begin_ns` (Unix time) until now. Ignores None."""
    if _spans is not None:
        end_ns = time.time_ns()
        for transaction_id in {one for one in transaction_ids if one is not None}:
            _spans.child(name, transaction_id, begin_ns, end_ns)
