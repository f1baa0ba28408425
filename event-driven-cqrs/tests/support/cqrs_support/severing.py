"""A proxy to Postgres that can break a connection just before or after a COMMIT."""

import asyncio
import contextlib
from typing import Literal

from cqrs_support.ways import Way

Cut = Literal["before-commit", "after-commit"]


class SeverableWay(Way):
    """Forwards connections. `cut` sets where the connection of the next COMMIT breaks."""

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
        while data := await client.read(65536):
            cut = self.cut if b"COMMIT\x00" in data else None
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
