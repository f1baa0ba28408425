"""A way to a server on which connections can fall silent, as when a machine or a network is gone without a word."""

import asyncio
import contextlib

from cqrs_support.ways import Way


class SilenceableWay(Way):
    """Forwards connections; those that were open when `silence` was called carry nothing any more, and stay open."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._silences = 0
        self._for_good = False

    def silence(self, *, for_good: bool = False) -> None:
        """From now on nothing passes on the connections that are open; on new ones it does, unless it is for good."""
        self._silences += 1
        self._for_good = for_good

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served by a task"
        self._tasks.add(task)
        with contextlib.suppress(OSError):
            server, to_server = await asyncio.open_connection(self._target.hostname, self._target.port)
            both = self._forward(client, to_server), self._forward(server, to_client)
            await asyncio.gather(*both)

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        begun = self._silences
        try:
            while data := await source.read(65536):
                if self._silences == begun and not self._for_good:
                    sink.write(data)
        finally:
            sink.close()
