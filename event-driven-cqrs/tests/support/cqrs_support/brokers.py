"""A broker for tests, and a listener in the role of the projections."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from cqrs_support.waiting import until
from wallet_cqrs import broker
from wallet_cqrs.messages import EventBatch, EventMessage, decode, queue_name
from wallet_lab.blocking import run_blocking
from wallet_lab.stack.components import Command
from wallet_lab.stack.files import credentials
from wallet_lab.stack.files.home import StackHome
from wallet_lab.stack.files.temporary_home import temporary_home
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.servers import rabbitmq
from wallet_lab.stack.supervision.logs import open_log
from wallet_lab.stack.supervision.process import run
from wallet_lab.testing.servers import RunningServer

PARTITIONS = 2


class BrokerServer(RunningServer):
    """A RabbitMQ node; `url` is for its clients."""

    url: str

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pauses the node while the context is open: connections stay open, requests get no answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @asynccontextmanager
    async def silent(self, queue: str) -> AsyncIterator[None]:
        """Makes one queue unresponsive while the context is open. The node itself answers."""
        process = f"whereis('%2F_{queue}')"
        await self._evaluate(f"sys:suspend({process})")
        try:
            yield
        finally:
            await self._evaluate(f"sys:resume({process})")

    async def _evaluate(self, erlang: str) -> None:
        node = self._component
        argv = (str(rabbitmq.PROGRAM.with_name("rabbitmqctl")), "eval", f"{erlang}.")
        with open_log(self._log.with_name("rabbitmqctl.log")) as output:
            await run(
                Command(name="rabbitmqctl", argv=argv, env=node.env, cwd=node.cwd, unprivileged=True), output
            )


@contextmanager
def running_broker() -> Iterator[BrokerServer]:
    """Starts one node on free ports. Use it once per module."""
    with temporary_home(None) as root:
        home = StackHome(root, "rabbitmq")
        home.prepare()
        ports = PortChooser(usual=False)
        node = rabbitmq.Broker(
            home.data() / "rabbitmq",
            ports.choose(0),
            ports.choose(0),
            ports.choose(0),
            credentials.load_or_create(home.secrets),
        )
        server = BrokerServer(rabbitmq.server(node), home.log("rabbitmq"))
        server.url = node.url

        async def run_command(command: Command) -> None:
            with open_log(home.log(command.name)) as output:
                await run(command, output)

        run_blocking(rabbitmq.provision(node, run_command))
        try:
            server.start()
            yield server
        finally:
            server.kill()  # a graceful stop takes seconds, and nothing needs the data


class Listener:
    """Receives the messages of all partitions in order."""

    def __init__(self, partitions: int) -> None:
        self.batches: list[list[EventBatch]] = [[] for _ in range(partitions)]

    def events(self, partition: int) -> list[EventMessage]:
        """Returns the partition's events without duplicates. Raises AssertionError if there is a gap."""
        head, events = 0, list[EventMessage]()
        for batch in self.batches[partition]:
            assert batch.after <= head, f"a gap before {batch.after}: only up to {head} was published"
            events += [event for event in batch.events if event.position > head]
            head = max(head, batch.head)
        return events

    def head(self, partition: int) -> int:
        """Returns the highest log head that the partition received."""
        return max((batch.head for batch in self.batches[partition]), default=0)

    async def until_head(
        self, position: int, partitions: range = range(PARTITIONS), timeout_s: float = 20
    ) -> None:
        """Waits until these partitions have received this log head."""
        await until(
            lambda: all(self.head(p) >= position for p in partitions), timeout_s, "the listener hears of it"
        )


@asynccontextmanager
async def listening(url: str, partitions: range = range(PARTITIONS)) -> AsyncIterator[Listener]:
    """Opens a listener on these partitions that reconnects after an outage of the broker."""
    listener = Listener(PARTITIONS)
    tasks = [
        asyncio.create_task(_listen(url, partition, listener.batches[partition])) for partition in partitions
    ]
    try:
        yield listener
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(url: str, partition: int, batches: list[EventBatch]) -> None:
    while True:
        try:
            closed = asyncio.Event()
            async with await aio_pika.connect(url, timeout=2) as connection:
                connection.close_callbacks.add(lambda *_, gone=closed: gone.set())
                channel = await connection.channel()
                await channel.set_qos(prefetch_count=100)
                await broker.declare(channel, PARTITIONS)
                queue = await channel.get_queue(queue_name(partition))
                await queue.consume(_collect(batches))
                await closed.wait()
        except (aio_pika.exceptions.AMQPError, OSError, TimeoutError):
            await asyncio.sleep(0.1)


def _collect(batches: list[EventBatch]) -> "Callable[[AbstractIncomingMessage], asyncio.Future[None]]":
    async def collect(message: AbstractIncomingMessage) -> None:
        batches.append(decode(message.body))
        await message.ack()

    return collect  # type: ignore[return-value] # aio_pika asks for any awaitable
