"""Listening sockets: opens them, shares them between replicas, and closes them without resetting any client."""

import asyncio
import ctypes
import select
import socket
import struct
from contextlib import suppress

HANDSHAKE_S = 0.02
"""Time limit for a TCP handshake that has begun."""
ACCEPT_TURNS_MAX = 100

UNREAD_S = 30
"""How long a client may leave sent data unread, or be unreachable, before the kernel closes its connection."""

_SO_ATTACH_FILTER = 26
# Classic BPF over the TCP header: drops packets with SYN and without ACK, passes all others.
_NO_NEW_HANDSHAKES = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the flags byte
        (0x54, 0, 0, 0x12),  # keep SYN and ACK
        (0x15, 0, 1, 0x02),  # only SYN?
        (0x06, 0, 0, 0),  # then drop it
        (0x06, 0, 0, 0xFFFFFFFF),  # else let it pass
    )
)


class CannotListen(Exception):
    """A port is in use, or this process may not use it."""


def bind(host: str, port: int, *, shared: bool) -> socket.socket:
    """Binds a socket to a port. With `shared`, replicas may bind to it too (SO_REUSEPORT). Raises CannotListen."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_S * 1000)  # connections inherit it
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise CannotListen(f"{host}:{port}: {error.strerror}") from error
    return bound


async def stop_listening(listening: socket.socket) -> None:
    """Closes the port after the event loop has accepted every connection that clients have made.

    Without this, the close would reset the connections in the accept queue. Meanwhile the kernel drops new handshakes.
    Their clients retry after a second, and then reach another replica or get an error.
    """
    _drop_new_handshakes(listening)
    await asyncio.sleep(HANDSHAKE_S)
    for _ in range(ACCEPT_TURNS_MAX):
        if not select.select([listening], [], [], 0)[0]:
            break
        await asyncio.sleep(0)  # the event loop accepts connections in each turn
    listening.shutdown(socket.SHUT_RDWR)


def _drop_new_handshakes(listening: socket.socket) -> None:
    program = ctypes.create_string_buffer(_NO_NEW_HANDSHAKES)
    count = len(_NO_NEW_HANDSHAKES) // struct.calcsize("HBBI")
    with suppress(OSError):  # without BPF, a connection made in the next instant may be reset
        listening.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", count, ctypes.addressof(program))
        )
