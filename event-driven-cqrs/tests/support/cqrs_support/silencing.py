"""A proxy that can stop forwarding without closing connections, like a failed machine or network."""

import asyncio
import contextlib

from cqrs_support.ways import Way


class SilenceableWay(Way):
    """Forwards connections. After `silence`, the open connections stay open, but carry no more data."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._silences = 0
        self._for_good = False

    def silence(self, *, for_good: bool = False) -> None:
        """Stops forwarding on all open connections. New connections work unless `for_good` is set."""
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
