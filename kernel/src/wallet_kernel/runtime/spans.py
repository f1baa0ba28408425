"""Spans for OpenTelemetry's SDK. Imported only if traces are on, because the SDK costs load time and memory."""

from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

SEND_TIMEOUT_S = 1.0
"""Time limit for a message of up to 512 spans, including retries. A stopping service sends up to four messages. With
the exporter's default of 10 s each, it would be killed first."""

_SPAN_BITS = (1 << 64) - 1
_RANDOM_BITS = (1 << 62) - 1


class _Ids(RandomIdGenerator):
    """Random ids, except for the root of a trace, whose ids derive from its transaction."""

    def __init__(self) -> None:
        self.root: UUID | None = None

    def generate_trace_id(self) -> int:
        return super().generate_trace_id() if self.root is None else self.root.int

    def generate_span_id(self) -> int:
        return super().generate_span_id() if self.root is None else _root_span(self.root)


class Spans:
    """Sends the spans of a share of all transactions to a collector. Times are Unix nanoseconds."""

    def __init__(self, service: str, url: str, share: float) -> None:
        self._ids = _Ids()
        self._share = share
        provider = TracerProvider(resource=Resource({SERVICE_NAME: service}), id_generator=self._ids)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, timeout=SEND_TIMEOUT_S)))
        self._tracer = provider.get_tracer("wallet")

    def root(self, name: str, transaction_id: UUID, begin_ns: int, end_ns: int) -> None:
        """Sends the root span of a transaction."""
        if not self._includes(transaction_id):
            return
        self._ids.root = transaction_id
        span = self._tracer.start_span(name, Context(), start_time=begin_ns)
        self._ids.root = None
        span.end(end_ns)

    def child(self, name: str, transaction_id: UUID, begin_ns: int, end_ns: int) -> None:
        """Sends a span of a transaction. Another service may send the root, or this one may send it later."""
        if not self._includes(transaction_id):
            return
        root = SpanContext(
            transaction_id.int, _root_span(transaction_id), is_remote=True, trace_flags=TraceFlags(1)
        )
        context = set_span_in_context(NonRecordingSpan(root), Context())
        self._tracer.start_span(name, context, start_time=begin_ns).end(end_ns)

    def _includes(self, transaction_id: UUID) -> bool:
        return transaction_id.int & _RANDOM_BITS < self._share * (_RANDOM_BITS + 1)


def _root_span(transaction_id: UUID) -> int:
    return transaction_id.int & _SPAN_BITS
