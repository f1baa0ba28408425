"""A minimal trace collector for tests. It receives spans by OTLP over HTTP and keeps them."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from uuid import UUID

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Span(NamedTuple):
    """A span from a service. The parent of a root span is empty."""

    transaction_id: UUID
    service: str
    name: str
    id: bytes
    parent: bytes
    begin_ns: int
    end_ns: int


class Collector:
    """The spans received so far. Use `collecting` to create one."""

    def __init__(self, port: int) -> None:
        """`port` is the collector's local port."""
        self.url = f"http://127.0.0.1:{port}/v1/traces"
        self.spans: list[Span] = []

    def take(self, body: bytes) -> None:
        """Stores the spans of one export request."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = resource.resource.attributes[0].value.string_value
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        UUID(bytes=span.trace_id),
                        service,
                        span.name,
                        span.span_id,
                        span.parent_span_id,
                        span.start_time_unix_nano,
                        span.end_time_unix_nano,
                    )
                    for span in scope.spans
                ]

    def traces(self) -> dict[UUID, list[Span]]:
        """The spans by transaction."""
        found: dict[UUID, list[Span]] = {}
        for span in list(self.spans):
            found.setdefault(span.transaction_id, []).append(span)
        return found


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """Runs a collector on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *_: object) -> None:
            """Logs nothing, to keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
