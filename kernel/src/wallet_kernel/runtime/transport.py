"""A transport that sends an answer in one piece, and closes without losing it."""

import asyncio

LINGER_S = 2.0
"""How long a closed connection still drops the rest of a request. The kernel resets a connection that is closed with
unread data, and the client may then lose the answer."""


class JoinedWrites:
    """A transport that sends what was written within one turn of the event loop at once.

    While `lingers` is set, the client is still sending: `close` then ends this side only, and the other one when the
    client ends it or `LINGER_S` have passed (RFC 9112 §9.6).
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []
        self._closing = False
        self.lingers = False

    def write(self, data: bytes) -> None:
        """Send these bytes when this turn of the loop ends."""
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def close(self) -> None:
        """Close, after sending what was written."""
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
        """Whether it was closed, from either side."""
        return self._closing or self._transport.is_closing()

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def _send(self) -> None:
        # A transport that has closed accepts no more writes.
        if self._written and not self.is_closing():
            self._transport.write(b"".join(self._written))
        self._written.clear()
