"""RabbitMQ as the lab runs it: a separate node that only this stack can reach."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import psutil
import pytest
from aio_pika.exceptions import AMQPError, QueueEmpty

from wallet_lab.testing import RabbitServer, running_rabbitmq

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Use the same backend as the services."""
    return "asyncio"


@pytest.fixture(scope="module")
def rabbitmq(hostile_folder: Path) -> Iterator[RabbitServer]:
    """A node whose data folder has a name with special characters for shells, Erlang and URLs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(hostile_folder))
        with running_rabbitmq() as server:
            yield server


def node(server: RabbitServer) -> psutil.Process:
    """The node's process."""
    assert server._process is not None
    return psutil.Process(server._process.pid)


async def test_confirmed_messages_survive_a_crash(rabbitmq: RabbitServer) -> None:
    """Confirmed messages survive kill -9 and a restart."""
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(b"safe", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")
    # RabbitMQ may lose a queue if it is killed within a second of the declaration (see
    # wallet_cqrs.projection.consumer).
    await asyncio.sleep(3)
    rabbitmq.kill()
    rabbitmq.start()
    assert await first_of("kept", rabbitmq) == b"safe"


async def first_of(name: str, server: RabbitServer) -> bytes:
    """Return the first message of a queue, whose leader election may take a moment after a restart."""
    deadline = time.monotonic() + 30
    while True:
        try:
            async with await aio_pika.connect(server.url) as connection:
                return (await (await (await connection.channel()).get_queue(name)).get(timeout=2)).body
        except (TimeoutError, QueueEmpty, AMQPError):
            assert time.monotonic() < deadline


@pytest.mark.parametrize("login", ["guest:guest", "wallet:wrong"])
async def test_only_the_generated_user_can_log_in(rabbitmq: RabbitServer, login: str) -> None:
    """RabbitMQ refuses its default user and wrong passwords."""
    with pytest.raises(AMQPError):
        await aio_pika.connect(f"amqp://{login}@127.0.0.1:{rabbitmq.port}/")


def test_rabbitmq_listens_on_the_loopback_only(rabbitmq: RabbitServer) -> None:
    """AMQP, Erlang's distribution and the port mapper listen only on the loopback interface."""
    family = [node(rabbitmq), *node(rabbitmq).children(recursive=True)]
    listening = [c for process in family for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert len(listening) >= 3
    assert {connection.laddr.ip for connection in listening} <= {"127.0.0.1", "::1"}


def test_no_secret_is_on_a_command_line(rabbitmq: RabbitServer) -> None:
    """Neither the password nor the cookie is on a command line."""
    family = [node(rabbitmq), *node(rabbitmq).children(recursive=True)]
    shown = " ".join(word for process in family for word in process.cmdline())
    assert str(urlsplit(rabbitmq.url).password) not in shown
    assert "setcookie" not in shown


def test_port_mapper_ends_with_a_killed_node(rabbitmq: RabbitServer) -> None:
    """If the node is killed, its port mapper ends too."""
    family = node(rabbitmq).children(recursive=True)
    assert any(process.name() == "epmd" for process in family)
    node(rabbitmq).send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=5)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
    rabbitmq.start()
