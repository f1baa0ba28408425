"""A transport that sends a response in one piece, and closes without losing it."""

import asyncio

LINGER_S = 2.0
"""How long a closed connection still drops the rest of a request. If the kernel closed it with unread data, it would
reset the connection, and the client could lose the response."""


class JoinedWrites:
    """Joins the bytes written within one turn of the event loop into one send.

    While `lingers` is set, the client is still sending. `close` then closes only this side. The other side closes when
    the client closes it, or after `LINGER_S` (RFC 9112 §9.6).
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []
        self._closing = False
        self.lingers = False

    def write(self, data: bytes) -> None:
        """Queues bytes to be sent at the end of this turn of the loop."""
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def close(self) -> None:
        """Sends the queued bytes and closes."""
        if self.is_closing():
            return
        self._send()
        if self.lingers:
            self._closing = True
            self._transport.write_eof()
            self._transport.resume_reading()
            self._loop.call_later(LINGER_S, self._transport.close)
        else:
            self._transport.close()

    def is_closing(self) -> bool:
        """Returns whether either side has closed the connection."""
        return self._closing or self._transport.is_closing()

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def _send(self) -> None:
        # A transport that has closed accepts no more writes.
        if self._written and not self.is_closing():
            self._transport.write(b"".join(self._written))
        self._written.clear()
