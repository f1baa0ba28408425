"""A server's connection: where a request ends, how long and how large its head may be, and which answer is the last."""

import asyncio
import re

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from wallet_kernel.contract.problems import Problem
from wallet_kernel.http import Answer
from wallet_kernel.runtime.transport import JoinedWrites

HEAD_BYTES_MAX = 64 * 1024
"""Of what frames a body (a request's line and headers, a chunk's size, trailers), after the read in which it begins.
The parser collects a header until it ends, in time that grows with the square of its length."""

HEAD_TIMEOUT_S = 10.0
"""From a connection's opening to its first request, and from a later request's first byte to the end of its head."""

PIPELINED_MAX = 16
"""Requests that may wait on one connection for the answer to the one before."""

_NO_HTTP = Answer(400, b"Invalid HTTP request received.", content_type=b"text/plain; charset=utf-8")
_UNKNOWN_METHOD = Problem("method-not-implemented", "The methods of a route are listed in /openapi.json.")
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ ([^ ?\r\n]+)[^ \r\n]* HTTP/1\.[01]\r?\n")
_TOO_LARGE = Answer(400, b"The request's head is too large.", content_type=b"text/plain; charset=utf-8")
_TOO_MANY = Problem("overloaded", "Too many requests wait on this connection for their answers.")
_TOO_SLOW = Problem("request-timeout", f"Its head did not come within {HEAD_TIMEOUT_S:g} s.")


class Connection(HttpToolsProtocol):
    """Uvicorn's connection, stricter about where a request ends.

    - An offer to upgrade is ignored (RFC 9110 §7.8). The parser would take the body for another protocol, and then for
      a request, so the head is parsed again without the offer.
    - An answer that leaves before its request has ended is the last one on its connection.
    - What is no HTTP is refused after the requests before it are answered, and nothing after it is parsed.
    - Trailers are not headers. No transfer coding but `chunked` is understood, and no version but 1.0 and 1.1.
    """

    transport: JoinedWrites  # type: ignore[assignment]

    _unanswered = 0
    _in_head = False
    _framing_bytes = 0
    _reusable = False
    _finishing = False
    _refusal: Answer | None = None
    _head_timer: asyncio.TimerHandle | None = None

    def finish(self) -> None:
        """Makes the answer to the present request, or else to the next one, the last one: `Connection: close`."""
        self._finishing = True
        # There is no cycle before the first request.
        if self.cycle and not self.cycle.response_complete:  # type: ignore[truthy-bool]
            self.cycle.keep_alive = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left, or the connection has ended."""
        self._stop_watching_head()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The client has sent more."""
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
            self._refuse(_UNKNOWN_METHOD.answer(self.url.decode("latin-1")))
            raise httptools.HttpParserError("what follows is meant for a tunnel")
        version = self.parser.get_http_version().encode()
        head = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        head += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"\r\n".join([*head, b"", b""]))

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._framing_bytes, self.transport.lingers = True, 0, True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer: what comes after the head is no part of it (RFC 9110 §6.5.1)."""
        if not self._in_head:
            return
        name = name.lower()
        if name == b"transfer-encoding" and value.strip(b" \t").lower() != b"chunked":
            raise httptools.HttpParserError("a transfer coding that is not understood (RFC 9112 §6.1)")
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A request's head has come."""
        self._in_head, self._framing_bytes = False, 0
        if self.parser.should_upgrade():
            return
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            raise httptools.HttpParserError("a version that frames its messages otherwise")
        if len(self.pipeline) == PIPELINED_MAX:
            self._refuse(_TOO_MANY.answer("/"))
            raise httptools.HttpParserError("the requests after this one are not parsed")
        super().on_headers_complete()
        self.flow.resume_reading()  # the client may leave: uvicorn would not notice while a request waits
        self._unanswered += 1
        self._reusable, self.cycle.keep_alive = self.cycle.keep_alive, False

    def on_body(self, body: bytes) -> None:
        """More of its body has come."""
        self._framing_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of a request has come."""
        if self.parser.should_upgrade():
            return
        self._framing_bytes, self.transport.lingers = 0, False
        if not self.cycle.response_started:
            self.cycle.keep_alive = self._reusable and not self._finishing
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request is answered."""
        self._unanswered -= 1
        super().on_response_complete()
        if self._refusal is not None and not self._unanswered:
            self._send_last(self._refusal)
        elif self._in_head:
            self._watch_head()

    def shutdown(self) -> None:
        """The server stops."""
        self._finishing = True
        super().shutdown()

    def _refuse(self, answer: Answer) -> None:
        """Makes this the connection's last answer, after those to the requests that are complete."""
        self._refusal = answer
        if self._unanswered and not self._in_head and self.cycle.more_body:
            self._drop_incomplete()
        if not self._unanswered:
            self._send_last(answer)

    def _drop_incomplete(self) -> None:
        if self.cycle.response_started:
            return  # it is the last one anyway
        self._unanswered -= 1
        if self.pipeline:
            self.pipeline.popleft()
        self.cycle.disconnected = True
        self.cycle.message_event.set()

    def _send_last(self, answer: Answer) -> None:
        self.transport.lingers = True
        if not self.transport.is_closing():
            self.transport.write(_as_bytes(answer, self.server_state.default_headers))
            self.transport.close()

    def _watch_head(self) -> None:
        """Limits the time until a request's head is complete."""
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
            self._refuse(_TOO_SLOW.answer(self.url.decode("latin-1").partition("?")[0]))
        else:
            self.transport.close()


def _of_another_method(data: bytes) -> Answer:
    """501 if the data begin with a well-formed request line (RFC 9110 §9.1), else 400."""
    line = _REQUEST_LINE.match(data)
    return _UNKNOWN_METHOD.answer(line[1].decode("latin-1")) if line else _NO_HTTP


def _as_bytes(answer: Answer, headers: list[tuple[bytes, bytes]]) -> bytes:
    fields = [
        *headers,
        *answer.headers,
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % len(answer.body)),
        (b"connection", b"close"),
    ]
    lines = [STATUS_LINE[answer.status], *(name + b": " + value + b"\r\n" for name, value in fields)]
    return b"".join([*lines, b"\r\n", answer.body])
