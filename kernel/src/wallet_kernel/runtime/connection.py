"""A server's connection: it bounds the head of a request, sends an answer's head and body together, and can finish."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 64 * 1024
"""Of a request's line and headers. The parser keeps what it has of a header and adds to it: one without end takes more
memory, and more time, with everything that arrives."""


class Connection(HttpToolsProtocol):
    """Uvicorn's, which writes head and body one by one: two calls of the system, and two awakenings of the reader.

    And it takes a head of any length.
    """

    _in_head = False
    _head_bytes = 0
    _finishing = False

    def finish(self) -> None:
        """Makes the answer to the present request, or else to the next one, the last one: `Connection: close`."""
        self._finishing = True
        # There is no cycle before the first request.
        if self.cycle and not self.cycle.response_complete:  # type: ignore[truthy-bool]
            self.cycle.keep_alive = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """The client has sent more."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
                self.send_400_response("The request's head is too large.")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._in_head = False
        super().on_headers_complete()
        if self._finishing:
            self.cycle.keep_alive = False


class JoinedWrites:
    """A transport that sends what was written within one turn of the event loop at once; otherwise as it was."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send these bytes when this turn of the loop ends."""
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def close(self) -> None:
        """Close, after sending what was written."""
        self._send()
        self._transport.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def _send(self) -> None:
        # Whoever left within this turn is told nothing: a transport that has closed takes no more.
        if self._written and not self._transport.is_closing():
            self._transport.write(b"".join(self._written))
        self._written.clear()
