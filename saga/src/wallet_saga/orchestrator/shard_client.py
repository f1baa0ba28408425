"""The way to one shard's worker: steps go in batches, questions one by one."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import aiohttp
from msgspec import MsgspecError
from msgspec.msgpack import Decoder, encode
from prometheus_client import Histogram

from wallet_kernel.batcher import Batcher, Pending, QueueFull
from wallet_kernel.bulkhead import Bulkhead
from wallet_kernel.endpoint import LATENCY_BUCKETS_S
from wallet_kernel.outages import Outage
from wallet_kernel.runtime.apps import SECRET_HEADER
from wallet_kernel.runtime.healthcheck import STANDBY
from wallet_kernel.topology import OtherTopology, Placement
from wallet_saga.protocol import Message, Misdirected, NotDone, Outcome, Step, TurnedAway, Unknown, shard_path

CALL = Histogram(
    "wallet_service_call_seconds",
    "Time of a call to another service.",
    ["target"],
    buckets=LATENCY_BUCKETS_S,
)

READS_RUNNING_MAX = 2
"""Reads of one kind that are sent to a shard at once. More would take the event loop's time from transfers."""

READS_WAITING_MAX = 250
READ_DEADLINE_S = 4.0
"""How long a read may wait for its turn and its answer."""

_ADDRESSES_MAX = 4
"""How often a call is sent when other workers than the shard's writer answer; each time on a new connection, and so to
the next of the addresses that the worker's name has."""

KEEP_ALIVE_S = 15.0
"""How long an idle connection to a worker is kept. The worker keeps it longer, so that it resets no request."""

_log = logging.getLogger(__name__)

_OUTCOMES = Decoder(list[Outcome])
_MISDIRECTED = Decoder(Misdirected)

Answer = TypeVar("Answer")


class ShardUnavailable(Exception):
    """The shard's worker cannot be reached or takes no more; nothing was done."""


class Overloaded(ShardUnavailable):
    """Too many steps are waiting for the shard; nothing was done."""


class WrongWorker(ShardUnavailable):
    """Another worker answered than the shard's writer; nothing was done."""


class OutcomeUnknown(Exception):
    """The shard's worker did not say what came of it; it may have been done. Send it again."""


class ShardClient:
    """One shard's worker. Both exceptions mean: ask again later; neither is ever a refusal."""

    def __init__(
        self,
        name: str,
        session: aiohttp.ClientSession,
        url: str,
        placement: Placement,
        timeout_s: float,
        batch_max: int,
        queue_max: int,
    ) -> None:
        self.name = name
        self._session = session
        self._url = url
        self._placement = placement
        self._shard_url = url + shard_path(placement)
        self.disagreement: OtherTopology | None = None
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._timing = CALL.labels(name)
        self._outage = Outage(_log, name)
        self._reads = _bulkheads(placement.shard)
        self._batcher: Batcher[Step, Outcome] = Batcher(
            name, self._send, batch_max=batch_max, queue_max=queue_max
        )

    def submit(self, step: Step) -> Pending[Outcome]:
        """Sends a step with the next batch, unless its future is cancelled by then.

        Raises Overloaded at once if the queue is full, ShardUnavailable if the worker serves another topology.
        """
        if self.disagreement:
            raise ShardUnavailable(str(self.disagreement))
        try:
            return self._batcher.submit(step)
        except QueueFull as full:
            raise Overloaded(str(full)) from full

    async def ask(self, path: str, question: Message, decoder: Decoder[Answer]) -> Answer:
        """Asks something that changes nothing. Raises ShardUnavailable or OutcomeUnknown."""
        return await self._routed(lambda: self._post(path, question, decoder))

    async def read(self, path: str, question: Message, decoder: Decoder[Answer]) -> Answer:
        """Asks for a client that reads, within the share of its kind.

        Raises BulkheadFull at once if too many clients wait; else ShardUnavailable or OutcomeUnknown.
        """
        try:
            async with self._reads[path].place():
                return await self.ask(path, question, decoder)
        except TimeoutError:
            raise ShardUnavailable(f"{self.name}: no answer in time") from None

    async def verify_topology(self) -> None:
        """Raises OtherTopology, ShardUnavailable or OutcomeUnknown unless the worker serves this shard and topology."""
        try:
            await self._routed(lambda: self._post("/steps", (), _OUTCOMES))
        except ShardUnavailable:
            raise self.disagreement or ShardUnavailable(self.name) from None

    async def ping(self) -> None:
        """Raises unless the shard's writer is ready."""
        await self._routed(self._get_ready)

    async def drain(self) -> None:
        """Waits for what was submitted."""
        await self._batcher.drain()

    async def _send(self, steps: Sequence[Step]) -> Sequence[Outcome | Exception]:
        try:
            with self._timing.time():
                outcomes = await self._routed(lambda: self._post("/steps", steps, _OUTCOMES))
        except Overloaded:
            raise
        except (ShardUnavailable, OutcomeUnknown) as error:
            self._outage.failed(error, len(steps))
            raise
        self._outage.ended()
        return list(map(_settled, outcomes))

    async def _routed(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Calls the shard's writer: while another worker answers, on another connection, perhaps to another address."""
        for _ in range(_ADDRESSES_MAX - 1):
            with suppress(WrongWorker):
                return await call()
        return await call()

    async def _get_ready(self) -> None:
        async with self._session.get(self._url + "/readyz", timeout=self._timeout) as response:
            if response.status != 200:
                text = await response.text()
                response.close()
                raise (WrongWorker if STANDBY in text else ShardUnavailable)(f"not ready: {text}")

    async def _post(self, path: str, message: Message | Sequence[Step], decoder: Decoder[Answer]) -> Answer:
        try:
            async with self._session.post(
                self._shard_url + path, data=encode(message), timeout=self._timeout
            ) as response:
                body = await response.read()
                if response.status == 503:
                    raise _unavailable(body)
                if response.status == 421:
                    response.close()  # the next attempt must not go where this one went
                    raise self._misdirected(_MISDIRECTED.decode(body))
                if response.status != 200:
                    raise OutcomeUnknown(f"the worker answers {response.status}: {body[:200]!r}")
                self.disagreement = None
                return decoder.decode(body)
        except aiohttp.ClientConnectorError as error:
            raise ShardUnavailable(str(error)) from error
        except (aiohttp.ClientError, OSError, TimeoutError, MsgspecError) as error:
            raise OutcomeUnknown(repr(error)) from error

    def _misdirected(self, worker: Misdirected) -> ShardUnavailable:
        """The error of a message that went to another worker. If its topology is another one, sending stops."""
        topology = self._placement.topology
        if (worker.shards, worker.slot_table) != (topology.shards, topology.fingerprint):
            self.disagreement = OtherTopology(
                f"This orchestrator expects {self.name} to be {self._placement}, but it is shard {worker.shard} of"
                f" {worker.shards} (slot table {worker.slot_table}). Correct WALLET_WORKER_URLS: the address of every"
                " worker, in the order of the shards."
            )
        return WrongWorker(f"{self.name}: a standby, or a worker of another shard, has this address")


def _bulkheads(shard: int) -> dict[str, Bulkhead]:
    """A shard's share of each kind of read, by the path that it takes."""
    kinds = {
        kind: Bulkhead(
            f"{kind}-{shard}",
            running_max=READS_RUNNING_MAX,
            waiting_max=READS_WAITING_MAX,
            deadline_s=READ_DEADLINE_S,
        )
        for kind in ("lookups", "statements", "past")
    }
    lookups, statements, past = kinds.values()
    return {"/transfer": lookups, "/credit": lookups, "/statement": statements, "/balance-at": past}


def _settled(outcome: Outcome) -> Outcome | Exception:
    """The outcome, or the exception that means there is none yet."""
    if isinstance(outcome, NotDone):
        return ShardUnavailable("the database is out of reach")
    if isinstance(outcome, TurnedAway):
        return Overloaded("the queue of the worker is full")
    if isinstance(outcome, Unknown):
        return OutcomeUnknown("not known to be committed")
    return outcome


def _unavailable(problem: bytes) -> ShardUnavailable:
    """What a worker's 503 means."""
    kind = Overloaded if b'"/problems/overloaded"' in problem else ShardUnavailable
    return kind(f"the worker answers 503: {problem[:200]!r}")


def open_session(secret: str) -> aiohttp.ClientSession:
    """The connections to all workers; every call shows the service secret."""
    # As many for each worker: one that keeps silent must not use up what the others need.
    # Containers that restart get new addresses, also each other's: an old one must not be remembered for long.
    connector = aiohttp.TCPConnector(
        limit=0, limit_per_host=64, ttl_dns_cache=1, keepalive_timeout=KEEP_ALIVE_S
    )
    return aiohttp.ClientSession(headers={SECRET_HEADER: secret}, connector=connector)
