"""A response is sent in one piece; a stream sends each part immediately."""

import asyncio

import pytest

from wallet_kernel.runtime.transport import JoinedWrites

pytestmark = pytest.mark.anyio


class Recording(asyncio.Transport):
    """A transport that records the calls."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Records the bytes."""
        self.recorded.append(bytes(data))

    def close(self) -> None:
        """Records the close."""
        self.recorded.append("close")

    def is_closing(self) -> bool:
        """Returns whether the transport was closed."""
        return "close" in self.recorded


async def test_head_and_body_are_sent_together() -> None:
    """A response needs one system call."""
    below = Recording()
    joined = JoinedWrites(below, asyncio.get_running_loop())
    joined.write(b"head ")
    joined.write(b"body")
    await asyncio.sleep(0)
    assert below.recorded == [b"head body"]


async def test_a_stream_sends_each_part_at_once() -> None:
    """Bytes written in one turn of the loop do not wait for the next part."""
    below = Recording()
    joined = JoinedWrites(below, asyncio.get_running_loop())
    for part in (b"head", b"event"):
        joined.write(part)
        await asyncio.sleep(0)
    assert below.recorded == [b"head", b"event"]


async def test_response_is_sent_before_the_connection_closes() -> None:
    """A response with `Connection: close` is sent before the close in the same turn."""
    below = Recording()
    joined = JoinedWrites(below, asyncio.get_running_loop())
    joined.write(b"last words")
    joined.close()
    await asyncio.sleep(0)
    assert below.recorded == [b"last words", "close"]


async def test_nothing_is_written_after_the_connection_closed_in_the_same_turn() -> None:
    """After the connection closed in the same turn, nothing is written, because the transport would raise."""
    below = Recording()
    joined = JoinedWrites(below, asyncio.get_running_loop())
    joined.write(b"an answer")
    below.close()
    await asyncio.sleep(0)
    assert below.recorded == ["close"]
