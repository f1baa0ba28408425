"""A proxy to Postgres that counts round trips."""

import asyncio

from cqrs_support.ways import Way


class CountingWay(Way):
    """Forwards connections. `round_trips` counts how often a client sent a request after the previous answer."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.round_trips = 0

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served by a task"
        self._tasks.add(task)
        server, to_server = await asyncio.open_connection(self._target.hostname, self._target.port)
        answered = asyncio.Event()
        answered.set()
        await asyncio.gather(
            self._requests(client, to_server, answered), self._answers(server, to_client, answered)
        )

    async def _requests(
        self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, answered: asyncio.Event
    ) -> None:
        while data := await client.read(65536):
            if answered.is_set():
                self.round_trips += 1
                answered.clear()
            to_server.write(data)
        to_server.close()

    async def _answers(
        self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter, answered: asyncio.Event
    ) -> None:
        while data := await server.read(65536):
            answered.set()
            to_client.write(data)
        to_client.close()
