"""An HTTP/1.1 server connection: where a request ends, limits on its head, and which response is the last one."""

import asyncio
import re
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from wallet_kernel.contract.problems import Problem
from wallet_kernel.deadlines import Deadlines
from wallet_kernel.http import Response
from wallet_kernel.runtime.transport import JoinedWrites

HEAD_BYTES_MAX = 64 * 1024
"""Bound on the bytes that frame a body (request line and headers, chunk sizes, trailers), beyond the read in which they
begin. The bound exists because the parser's time for an unfinished header grows with the square of its length."""

HEAD_TIMEOUT_S = 10.0
"""Time limit from the opening of a connection to the end of its first request's head. For a later request, the time
starts with its first byte."""

PIPELINED_MAX = 16
"""The number of requests that may wait on one connection for earlier responses."""

_NO_HTTP = Response(400, b"Invalid HTTP request received.", content_type=b"text/plain; charset=utf-8")
_UNKNOWN_METHOD = Problem("method-not-implemented", "The methods of a route are listed in /openapi.json.")
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ ([^ ?\r\n]+)[^ \r\n]* HTTP/1\.[01]\r?\n")
_TOO_LARGE = Response(400, b"The request's head is too large.", content_type=b"text/plain; charset=utf-8")
_TOO_MANY = Problem("overloaded", "Too many requests wait on this connection for their answers.")
_TOO_SLOW = Problem("request-timeout", f"The head did not arrive within {HEAD_TIMEOUT_S:g} s.")


class Connection(HttpToolsProtocol):
    """Extends uvicorn's connection with stricter rules for the end of a request.

    - Upgrade offers are ignored (RFC 9110 §7.8). The parser would otherwise treat the body as another protocol, then
      as a request. So the connection parses the head again without the offer.
    - A response that is sent before its request is complete is the last one on its connection.
    - Bytes that are not HTTP are refused after the earlier requests are answered. Nothing after them is parsed.
    - Trailers are not headers. The only known transfer coding is `chunked`; the only known versions are 1.0 and 1.1.
    """

    transport: JoinedWrites  # type: ignore[assignment]

    _unanswered = 0
    _in_head = False
    _framing_bytes = 0
    _reusable = False
    _finishing = False
    _refusal: Response | None = None
    _head_timer: asyncio.TimerHandle | None = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        idle: Deadlines,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._idle = idle

    def finish(self) -> None:
        """Sends `Connection: close` with the response to the current request, or else to the next request."""
        self._finishing = True
        # Before the first request, `cycle` is None.
        if self.cycle and not self.cycle.response_complete:  # type: ignore[truthy-bool]
            self.cycle.keep_alive = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Handles a new connection."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Handles the end of the connection."""
        self._stop_watching_head()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Handles received bytes."""
        if self._refusal is not None or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self._framing_bytes += len(data)
        try:
            self._parse(data)
            if self._framing_bytes > HEAD_BYTES_MAX:
                self._refuse(_TOO_LARGE)
        except httptools.HttpParserInvalidMethodError:
            self._refuse(_of_another_method(data))
        except httptools.HttpParserError:
            if self._refusal is None:
                self._refuse(_NO_HTTP)
        self._watch_head()

    def _parse(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as offer:
                rest = rest[offer.args[0] :]
                self._parse_again_without_the_offer()

    def _parse_again_without_the_offer(self) -> None:
        if self.parser.get_method() == b"CONNECT":
            self._refuse(_UNKNOWN_METHOD.response(self.url.decode("latin-1")))
            raise httptools.HttpParserError("the bytes after CONNECT belong to a tunnel")
        version = self.parser.get_http_version().encode()
        head = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        head += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"\r\n".join([*head, b"", b""]))

    def on_message_begin(self) -> None:
        """Handles the start of a request."""
        self._in_head, self._framing_bytes, self.transport.lingers = True, 0, True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handles a header. Ignores trailers, which are not headers (RFC 9110 §6.5.1)."""
        if not self._in_head:
            return
        name = name.lower()
        if name == b"transfer-encoding" and value.strip(b" \t").lower() != b"chunked":
            raise httptools.HttpParserError("the transfer coding is not supported (RFC 9112 §6.1)")
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Handles the end of a request's head."""
        self._in_head, self._framing_bytes = False, 0
        if self.parser.should_upgrade():
            return
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            raise httptools.HttpParserError("the HTTP version is not supported")
        if len(self.pipeline) == PIPELINED_MAX:
            self._refuse(_TOO_MANY.response("/"))
            raise httptools.HttpParserError("too many requests are pipelined; the later ones are not parsed")
        super().on_headers_complete()
        self.flow.resume_reading()  # uvicorn would not notice that the client left while a request waits
        self._unanswered += 1
        self._reusable, self.cycle.keep_alive = self.cycle.keep_alive, False

    def on_body(self, body: bytes) -> None:
        """Handles a part of the request's body."""
        self._framing_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Handles the end of a request."""
        if self.parser.should_upgrade():
            return
        self._framing_bytes, self.transport.lingers = 0, False
        if not self.cycle.response_started:
            self.cycle.keep_alive = self._reusable and not self._finishing
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Handles the end of a response. Differs from uvicorn's in the deadline of an idle connection."""
        self._unanswered -= 1
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self._begin_next()
        if self._refusal is not None and not self._unanswered:
            self._send_last(self._refusal)
        elif self._in_head:
            self._watch_head()

    def passed(self) -> None:
        """Closes the connection, because it was idle for too long."""
        self.transport.close()

    def shutdown(self) -> None:
        """Makes the next response the last one, because the server stops."""
        self._finishing = True
        super().shutdown()

    def _begin_next(self) -> None:
        """Begins the next pipelined request, or else waits for one."""
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle.watch(self)

    def _unset_keepalive_if_required(self) -> None:
        self._idle.forget(self)

    def _refuse(self, response: Response) -> None:
        """Makes `response` the connection's last response, after the responses to all complete requests."""
        self._refusal = response
        if self._unanswered and not self._in_head and self.cycle.more_body:
            self._drop_incomplete()
        if not self._unanswered:
            self._send_last(response)

    def _drop_incomplete(self) -> None:
        if self.cycle.response_started:
            return  # this response is the last one anyway
        self._unanswered -= 1
        if self.pipeline:
            self.pipeline.popleft()
        self.cycle.disconnected = True
        self.cycle.message_event.set()

    def _send_last(self, response: Response) -> None:
        self.transport.lingers = True
        if not self.transport.is_closing():
            self.transport.write(_as_bytes(response, self.server_state.default_headers))
            self.transport.close()

    def _watch_head(self) -> None:
        """Limits the time until the head of a request is complete."""
        if self._unanswered or self.transport.is_closing():
            self._stop_watching_head()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._head_overdue)

    def _stop_watching_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_overdue(self) -> None:
        if self._in_head:
            self._refuse(_TOO_SLOW.response(self.url.decode("latin-1").partition("?")[0]))
        else:
            self.transport.close()


def _of_another_method(data: bytes) -> Response:
    """Returns 501 if the data begin with a well-formed request line (RFC 9110 §9.1), else 400."""
    line = _REQUEST_LINE.match(data)
    return _UNKNOWN_METHOD.response(line[1].decode("latin-1")) if line else _NO_HTTP


def _as_bytes(response: Response, headers: list[tuple[bytes, bytes]]) -> bytes:
    fields = [
        *headers,
        *response.headers,
        (b"content-type", response.content_type),
        (b"content-length", b"%d" % len(response.body)),
        (b"connection", b"close"),
    ]
    lines = [STATUS_LINE[response.status], *(name + b": " + value + b"\r\n" for name, value in fields)]
    return b"".join([*lines, b"\r\n", response.body])
