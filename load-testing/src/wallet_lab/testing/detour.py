"""A port that leads to another server, as a container's address may after a restart."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def detour(port: int, to_port: int) -> AsyncIterator[None]:
    """Inside, connections to `port` on 127.0.0.1 reach `to_port`. No other process may listen on `port`."""
    under_way: set[asyncio.Task[None]] = set()

    async def serve(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served by a task"
        under_way.add(task)
        with contextlib.suppress(asyncio.CancelledError, OSError):
            server, to_server = await asyncio.open_connection("127.0.0.1", to_port)
            await asyncio.gather(forward(client, to_server), forward(server, to_client))

    listening = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        listening.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way)


async def forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Write to `sink` what `source` receives, until one of them ends, and close `sink`."""
    try:
        while data := await source.read(65536):
            sink.write(data)
    finally:
        sink.close()
