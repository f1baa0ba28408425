"""HTTP clients that follow RFC 9112 and never retry, so that the tests count every request that fails."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from tests.blackbox.api import wallet_path

Document = dict[str, object]


class KeptConnection:
    """One client's connection, kept open between requests.

    The client reconnects if the last answer said `Connection: close`, or if the server has closed the connection before
    the next request. It never sends a request twice, because only the caller knows whether the request is idempotent.
    """

    def __init__(self, base_url: str) -> None:
        self._host, self._port = urlsplit(base_url).hostname, urlsplit(base_url).port
        self._reader = asyncio.StreamReader()
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, method: str, path: str, document: Document | None = None) -> tuple[int, bytes]:
        """Sends a request. Returns the answer's status and body. Raises OSError or EOFError if there is none."""
        writer = await self._opened()
        body = b"" if document is None else msgspec.json.encode(document)
        kind = "" if document is None else "Content-Type: application/json\r\n"
        head = f"{method} {path} HTTP/1.1\r\nHost: wallet\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
        try:
            writer.write(head.encode() + body)
            return await self._answer()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes the connection if it is open."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def _opened(self) -> asyncio.StreamWriter:
        if self._reader.at_eof():
            self.close()
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self._writer

    async def _answer(self) -> tuple[int, bytes]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        if b"\r\nconnection: close" in head:
            self.close()
        return int(head.split(b" ")[1]), body


@dataclass
class Usage:
    """Counts of the answers and failures that clients got from all kinds of calls."""

    served: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)


async def use_wallets(
    base_url: str, accounts: Sequence[str], number: int, usage: Usage, stop: asyncio.Event
) -> None:
    """Runs one client: it pays, reads its writes, looks transfers up, reads statements. Every fourth client pauses."""
    connection, turns = KeptConnection(base_url), itertools.count(1)
    payer = accounts[number % len(accounts)]

    async def send(method: str, path: str, document: Document | None = None) -> Document:
        name = f"{method} {path.rpartition('/')[2].partition('?')[0]}"
        try:
            status, body = await connection.send(method, path, document)
        except (OSError, EOFError) as error:
            usage.failed[f"{name}: {error!r}"] += 1
            return {}
        if status < 300:
            usage.served[name] += 1
        else:
            usage.failed[f"{name}: {status} {body!r}"] += 1
        answer: Document = msgspec.json.decode(body)
        return answer

    while not stop.is_set():
        turn = next(turns)
        payee = accounts[(number + turn % (len(accounts) - 1) + 1) % len(accounts)]
        order = {"fromAccount": payer, "toAccount": payee, "amount": 0.01, "currency": "USD"}
        paid = await send("POST", "/wallets/balanceTransfer", order)
        fresh = f"?min_position={paid['position']}" if "position" in paid else ""
        await send("GET", f"{wallet_path(payer)}/balance{fresh}")
        if turn % 4 == 0:
            await send("GET", f"{wallet_path(payer)}/transactions{fresh}")
        if turn % 4 == 2 and "transactionId" in paid:
            await send("GET", f"/transfers/{paid['transactionId']}")
        if number % 4 == 0:
            await asyncio.sleep(0.3)
    connection.close()
