"""Listening sockets close without resetting any client."""

import asyncio
import errno
import select
import socket
from typing import Any

import pytest

from wallet_kernel.runtime.sockets import bind, stop_listening

pytestmark = pytest.mark.anyio
PATIENCE_S = 20


def answer(client: socket.socket) -> bytes:
    """Returns the bytes that the client receives, or none if its connection is reset."""
    with client:
        try:
            return client.recv(10)
        except ConnectionResetError:
            return b""


def connecting(port: int) -> socket.socket:
    """Returns a client that has sent its first packet."""
    client = socket.socket()
    client.setblocking(False)
    assert client.connect_ex(("127.0.0.1", port)) in (0, errno.EINPROGRESS)
    return client


async def test_connections_that_wait_are_accepted_before_the_port_closes() -> None:
    """Clients that connected before the port closed get their answer, even from a long accept queue."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"served")
        writer.close()

    listening = bind("127.0.0.1", 0, shared=True)
    server = await asyncio.start_server(serve, sock=listening, backlog=500)
    address = listening.getsockname()
    clients = [socket.create_connection(address, PATIENCE_S) for _ in range(200)]
    await stop_listening(listening)
    server.close()
    assert [await asyncio.to_thread(answer, client) for client in clients] == [b"served"] * 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, PATIENCE_S)


@pytest.mark.slow
async def test_clients_that_connect_while_the_port_closes_reach_another_replica() -> None:
    """While the port closes, handshakes are dropped; their retries reach another replica."""
    listening = bind("127.0.0.1", 0, shared=True)
    listening.listen()
    port = listening.getsockname()[1]
    stopping = asyncio.create_task(stop_listening(listening))
    await asyncio.sleep(0)
    with connecting(port) as client, bind("127.0.0.1", port, shared=True) as replica:
        await stopping
        replica.listen()
        reached: Any = await asyncio.to_thread(select.select, [replica], [], [], 4)
        assert reached[0] == [replica]
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
