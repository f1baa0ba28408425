"""The one way from ASGI to a handler and back: a handler takes a Call and returns an Answer.

Handlers are plain coroutines, so the same one serves behind FastAPI's router or straight behind the server.
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


@dataclass(slots=True)
class Answer:
    """An HTTP answer: status, body and what is to be said in headers beside length and type."""

    status: int
    body: bytes
    headers: Headers = ()
    content_type: bytes = JSON


@dataclass(slots=True)
class Call:
    """An HTTP request whose body, if the route takes one, has been read."""

    scope: Scope
    body: bytes = b""
    _query: dict[str, str] | None = field(default=None, repr=False)
    _headers: dict[bytes, bytes] | None = field(default=None, repr=False)

    @property
    def path(self) -> str:
        """The decoded path, as problem documents name it."""
        return str(self.scope["path"])

    @property
    def params(self) -> dict[str, str]:
        """What the router took out of the path."""
        params: dict[str, str] = self.scope["path_params"]
        return params

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; of a repeated one the last."""
        if self._query is None:
            text = self.scope["query_string"].decode("latin-1")
            self._query = dict(parse_qsl(text, keep_blank_values=True)) if text else {}
        return self._query

    def header(self, name: bytes) -> bytes | None:
        """The value of a header (its name in lower case), of a repeated one the first, or None.

        Whitespace around a value is not part of it (RFC 9110 §5.5), and httptools leaves what trails.
        """
        if self._headers is None:
            self._headers = dict(reversed(self.scope["headers"]))
        value = self._headers.get(name)
        return None if value is None else value.strip(b" \t")


Handler = Callable[[Call], Awaitable[Answer]]


async def send_answer(answer: Answer, send: Send) -> None:
    """Writes an answer to an ASGI server."""
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % len(answer.body)),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
