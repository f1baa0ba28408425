"""The adapter between ASGI and handlers: a handler takes a Request and returns a Response.

Handlers are plain coroutines, so the same handler runs behind FastAPI's router or directly behind the server.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

JSON = b"application/json"

CLOSE: Headers = ((b"connection", b"close"),)
"""Closes the connection after the response. The client's next request uses a new connection, perhaps to another replica
of the service."""


@dataclass(slots=True)
class Response:
    """An HTTP response: status, body, content type, and any further headers. The length is added on sending."""

    status: int
    body: bytes
    headers: Headers = ()
    content_type: bytes = JSON


@dataclass(slots=True)
class Request:
    """An HTTP request. If the route takes a body, it has been read."""

    scope: Scope
    body: bytes = b""
    _query: dict[str, str] | None = field(default=None, repr=False)
    _headers: dict[bytes, bytes] | None = field(default=None, repr=False)

    @property
    def path(self) -> str:
        """The decoded path, as problem documents quote it."""
        return str(self.scope["path"])

    @property
    def params(self) -> dict[str, str]:
        """The path parameters that the router found."""
        params: dict[str, str] = self.scope["path_params"]
        return params

    @property
    def query(self) -> dict[str, str]:
        """The query parameters. If a parameter is repeated, the last value counts."""
        if self._query is None:
            text = self.scope["query_string"].decode("latin-1")
            self._query = dict(parse_qsl(text, keep_blank_values=True)) if text else {}
        return self._query

    def header(self, name: bytes) -> bytes | None:
        """Returns the value of a header (`name` in lower case), the first one if it is repeated, or None.

        Strips the whitespace around the value (RFC 9110 §5.5), because httptools keeps it at the end.
        """
        if self._headers is None:
            self._headers = dict(reversed(self.scope["headers"]))
        value = self._headers.get(name)
        return None if value is None else value.strip(b" \t")


Handler = Callable[[Request], Awaitable[Response]]


async def send_response(response: Response, send: Send) -> None:
    """Sends a response to an ASGI server."""
    headers = [
        (b"content-type", response.content_type),
        (b"content-length", b"%d" % len(response.body)),
        *response.headers,
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
