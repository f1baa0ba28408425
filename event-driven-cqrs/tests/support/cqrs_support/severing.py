"""A proxy to Postgres that can break a connection just before or after a commit."""

import asyncio
import contextlib
import re
from typing import Literal

from cqrs_support.ways import Way

Cut = Literal["before-commit", "after-commit"]

_APPEND = re.compile(rb"(__asyncpg_stmt_\w+__)\x00[^\x00]*UPDATE log_head")
"""The message that prepares the statement of an append. Messages that run the statement contain only its name."""


class Commits:
    """Finds the messages of one connection that commit: COMMIT, and an append outside a transaction."""

    def __init__(self) -> None:
        self._append: bytes | None = None
        self._in_transaction = False

    def found_in(self, data: bytes) -> bool:
        """Returns whether this data has a message that commits. Pass all data of the connection, in order."""
        if prepared := _APPEND.search(data):
            self._append = prepared[1] + b"\x00"
            return False
        self._in_transaction |= b"BEGIN;" in data
        runs_append = self._append is not None and self._append in data
        found = b"COMMIT\x00" in data or (runs_append and not self._in_transaction)
        self._in_transaction &= b"COMMIT\x00" not in data and b"ROLLBACK\x00" not in data
        return found


class SeverableWay(Way):
    """Forwards connections. `cut` sets where the connection breaks at the next commit."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.cut: Cut | None = None
        self.was_cut = asyncio.Event()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection(self._target.hostname, self._target.port)
        except OSError:
            to_client.close()
            return
        answers = asyncio.create_task(_forward(server, to_client))
        self._tasks.add(answers)
        with contextlib.suppress(ConnectionError):
            await self._requests(client, to_server, server, answers)
        answers.cancel()
        to_server.close()
        to_client.close()

    async def _requests(
        self,
        client: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        answers: asyncio.Task[None],
    ) -> None:
        commits = Commits()
        while data := await client.read(65536):
            cut = self.cut if commits.found_in(data) else None
            if cut is None:
                to_server.write(data)
                continue
            self.cut = None
            if cut == "after-commit":
                answers.cancel()
                await asyncio.wait([answers])
                to_server.write(data)
                await server.read(65536)  # Postgres has answered, but the client never receives it
            self.was_cut.set()
            return


async def _forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
    sink.close()
