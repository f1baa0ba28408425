"""Fixtures of the kernel's tests: asyncio, in-memory calls, and in-memory ASGI exchanges."""

from collections.abc import Callable, Coroutine, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from wallet_kernel.http import App, Request

MakeCall = Callable[..., Request]
Exchange = Callable[..., Coroutine[Any, Any, "Reply"]]


@dataclass
class Reply:
    """The response of an ASGI app."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def document(self) -> dict[str, Any]:
        """The body as JSON."""
        decoded: dict[str, Any] = msgspec.json.decode(self.body)
        return decoded


@pytest.fixture
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, as the services do."""
    return "asyncio"


@pytest.fixture
def make_call() -> MakeCall:
    """Returns a factory of Calls: body, query string, path parameters, headers (JSON by default)."""
    return _make_call


@pytest.fixture
def exchange() -> Exchange:
    """Sends one request to an ASGI app, with its body in the given chunks, and returns the reply."""
    return _exchange


def _make_call(
    body: bytes = b"",
    *,
    query: str = "",
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Request:
    given = {"content-type": "application/json"} if headers is None else headers
    return Request(_scope("POST", "/", query, given) | {"path_params": params or {}}, body)


def _scope(method: str, path: str, query: str, headers: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 12345),
        "root_path": "",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
    }


async def _exchange(
    app: App,
    method: str,
    path: str,
    *chunks: bytes,
    query: str = "",
    headers: dict[str, str] | None = None,
    disconnects: bool = False,
) -> Reply:
    reply = Reply()
    messages: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": chunk, "more_body": disconnects or number < len(chunks)}
        for number, chunk in enumerate(chunks or (b"",), 1)
    ]

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            reply.body += message.get("body", b"")

    given = {"content-type": "application/json"} if headers is None else headers
    await app(_scope(method, path, query, given), receive, send)
    return reply
