"""The clients of the shards' workers. A client sends commands in batches and each query in a request of its own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar
from uuid import UUID

import aiohttp
from msgspec import MsgspecError
from msgspec.msgpack import Decoder, encode
from prometheus_client import Histogram

from wallet_kernel.batcher import PAUSE_MAX_S, Batcher, Pending, QueueFull
from wallet_kernel.bulkhead import Bulkhead
from wallet_kernel.endpoint import LATENCY_BUCKETS_S
from wallet_kernel.ids import slot_of_transaction
from wallet_kernel.outages import Outage
from wallet_kernel.runtime.apps import SECRET_HEADER
from wallet_kernel.runtime.healthcheck import is_standby
from wallet_kernel.slots import slot_of
from wallet_kernel.topology import OtherTopology, Placement, Topology
from wallet_saga.domain.commands import Command, Message, NotDone, Outcome, TurnedAway, Unknown
from wallet_saga.messages import Misdirected, shard_path

CALL = Histogram(
    "wallet_service_call_seconds",
    "Time of a call to another service.",
    ["target"],
    buckets=LATENCY_BUCKETS_S,
)

READS_RUNNING_MAX = 2
"""Reads of one kind that are sent to a shard at the same time. More would slow down transfers in the event loop."""

READS_WAITING_MAX = 250
READ_DEADLINE_S = 4.0
"""How long a read may take, including the time in the queue."""

_ADDRESSES_MAX = 4
"""How often a request is sent if a worker other than the shard's writer answers. Each attempt uses a new connection,
and therefore the next address of the worker's host name."""

KEEP_ALIVE_S = 15.0
"""How long the client keeps an idle connection. The worker keeps it longer, so that it does not reset a new request."""

_log = logging.getLogger(__name__)

_OUTCOMES = Decoder(list[Outcome])
_MISDIRECTED = Decoder(Misdirected)

Found = TypeVar("Found")


class ShardUnavailable(Exception):
    """The shard's worker or its database is unreachable. Nothing was done."""


class Overloaded(ShardUnavailable):
    """Too many commands are waiting for the shard. Nothing was done."""


class WrongWorker(ShardUnavailable):
    """A worker other than the shard's writer answered. Nothing was done."""


class OutcomeUnknown(Exception):
    """The shard's worker did not return the outcome. The command may have been done. Send it again."""


class ShardClient:
    """The client of one shard's worker.

    ShardUnavailable and OutcomeUnknown both mean "send again later". Neither is a refusal.
    """

    def __init__(
        self,
        name: str,
        session: aiohttp.ClientSession,
        url: str,
        placement: Placement,
        *,
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
        self._batcher: Batcher[Command, Outcome] = Batcher(
            name, self._send, batch_max=batch_max, queue_max=queue_max, pause_max_s=PAUSE_MAX_S
        )

    def submit(self, command: Command) -> Pending[Outcome]:
        """Queues a command for the next batch. If the caller cancels the future before, it is not sent.

        Raises Overloaded if the queue is full, and ShardUnavailable if the worker serves another topology.
        """
        return self._queued(self._batcher.submit, command)

    def submit_later(self, command: Command) -> Pending[Outcome]:
        """Queues a command behind the others for a batch that has other commands, or that is sent after `LATER_S`.

        Raises the exceptions of `submit`.
        """
        return self._queued(self._batcher.submit_later, command)

    async def ask(self, path: str, question: Message, decoder: Decoder[Found]) -> Found:
        """Sends a query of recovery or of a close request. Raises ShardUnavailable or OutcomeUnknown."""
        return await self._routed(lambda: self._post(path, question, decoder))

    async def read(self, path: str, question: Message, decoder: Decoder[Found]) -> Found:
        """Sends a client's read within the bulkhead of its kind.

        Raises BulkheadFull if too many reads wait, ShardUnavailable at the deadline, or the errors of `ask`.
        """
        try:
            async with self._reads[path].place():
                return await self.ask(path, question, decoder)
        except TimeoutError:
            raise ShardUnavailable(f"{self.name}: no answer in time") from None

    async def verify_topology(self) -> None:
        """Compares topologies with the worker. Raises OtherTopology, ShardUnavailable or OutcomeUnknown."""
        try:
            await self._routed(lambda: self._post("/steps", (), _OUTCOMES))
        except ShardUnavailable:
            raise self.disagreement or ShardUnavailable(self.name) from None

    async def ping(self) -> None:
        """Checks readiness. Raises unless the shard's writer is ready."""
        await self._routed(self._get_ready)

    async def drain(self) -> None:
        """Waits for the submitted commands."""
        await self._batcher.drain()

    def _queued(self, submit: Callable[[Command], Pending[Outcome]], command: Command) -> Pending[Outcome]:
        if self.disagreement:
            raise ShardUnavailable(str(self.disagreement))
        try:
            return submit(command)
        except QueueFull as full:
            raise Overloaded(str(full)) from full

    async def _send(self, commands: Sequence[Command]) -> Sequence[Outcome | Exception]:
        try:
            with self._timing.time():
                outcomes = await self._routed(lambda: self._post("/steps", commands, _OUTCOMES))
        except Overloaded:
            raise
        except (ShardUnavailable, OutcomeUnknown) as error:
            self._outage.failed(error, len(commands))
            raise
        self._outage.ended()
        return list(map(_settled, outcomes))

    async def _routed(self, call: Callable[[], Awaitable[Found]]) -> Found:
        """Repeats the call on a new connection while a worker other than the shard's writer answers."""
        for _ in range(_ADDRESSES_MAX - 1):
            with suppress(WrongWorker):
                return await call()
        return await call()

    async def _get_ready(self) -> None:
        async with self._session.get(self._url + "/readyz", timeout=self._timeout) as response:
            if response.status != 200:
                body = await response.read()
                raise (WrongWorker if is_standby(body) else ShardUnavailable)(f"not ready: {body!r}")

    async def _post(self, path: str, message: Message | Sequence[Command], decoder: Decoder[Found]) -> Found:
        try:
            async with self._session.post(
                self._shard_url + path, data=encode(message), timeout=self._timeout
            ) as response:
                body = await response.read()
                if response.status == 503:
                    raise _unavailable(body)
                if response.status == 421:
                    raise self._misdirected(_MISDIRECTED.decode(body))
                if response.status != 200:
                    raise OutcomeUnknown(f"{self.name} answered {response.status}: {body[:200]!r}")
                self.disagreement = None
                return decoder.decode(body)
        except aiohttp.ClientConnectorError as error:
            raise ShardUnavailable(str(error)) from error
        except (aiohttp.ClientError, OSError, TimeoutError, MsgspecError, RecursionError) as error:
            raise OutcomeUnknown(repr(error)) from error

    def _misdirected(self, worker: Misdirected) -> ShardUnavailable:
        """Returns the error for a 421. If the worker's topology differs, this client stops sending steps to it."""
        topology = self._placement.topology
        if (worker.shards, worker.slot_table) != (topology.shards, topology.fingerprint):
            self.disagreement = OtherTopology(
                f"This orchestrator expects {self.name} to be {self._placement}, but it is shard {worker.shard} of"
                f" {worker.shards} (slot table {worker.slot_table}). Correct WALLET_WORKER_URLS: the address of every"
                " worker, in the order of the shards."
            )
        return WrongWorker(
            f"A standby, or a worker of another shard, answered at the address of {self.name}."
        )


class Shards:
    """The clients of all shards, by the slots that the shards own."""

    def __init__(self, topology: Topology, clients: Sequence[ShardClient]) -> None:
        self.clients = clients
        self._of_slot = [clients[shard] for shard in topology.owners]

    async def verify_topology(self) -> None:
        """Compares topologies with all workers. Raises OtherTopology if a worker's topology differs.

        A worker that is unreachable now is compared at its first response.
        """
        for compared in await asyncio.gather(
            *(c.verify_topology() for c in self.clients), return_exceptions=True
        ):
            if isinstance(compared, OtherTopology):
                raise compared

    async def require_agreement(self) -> None:
        """Checks readiness. Raises OtherTopology if the last response of a worker named another topology."""
        for client in self.clients:
            if client.disagreement:
                raise client.disagreement

    def of_account(self, account_id: str) -> ShardClient:
        """Returns the client of the shard that holds this wallet."""
        return self._of_slot[slot_of(account_id)]

    def of_transaction(self, transaction_id: UUID) -> ShardClient:
        """Returns the client of the shard whose log has this transaction. Its id contains the payer's slot."""
        return self._of_slot[slot_of_transaction(transaction_id)]


def _bulkheads(shard: int) -> dict[str, Bulkhead]:
    """Returns the bulkhead for each path that serves clients' reads."""
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
    """Returns the outcome, or the exception for a command without an outcome."""
    if isinstance(outcome, NotDone):
        return ShardUnavailable("the worker did not perform the step")
    if isinstance(outcome, TurnedAway):
        return Overloaded("the worker's queue is full")
    if isinstance(outcome, Unknown):
        return OutcomeUnknown("the worker does not know whether the step was committed")
    return outcome


def _unavailable(problem: bytes) -> ShardUnavailable:
    """Returns the exception for a worker's 503."""
    kind = Overloaded if b'"/problems/overloaded"' in problem else ShardUnavailable
    return kind(f"the worker answered 503: {problem[:200]!r}")


def open_session(secret: str) -> aiohttp.ClientSession:
    """Opens the HTTP session for all workers. Every request carries the service secret."""
    # The limit is per worker, so that a worker that does not answer cannot use up the connections of the others.
    # DNS answers are cached for 1 s only, because restarted containers get new addresses, sometimes each other's.
    connector = aiohttp.TCPConnector(
        limit=0, limit_per_host=64, ttl_dns_cache=1, keepalive_timeout=KEEP_ALIVE_S
    )
    return aiohttp.ClientSession(headers={SECRET_HEADER: secret}, connector=connector)
