"""The saga's stack as data."""

from pathlib import Path

import pytest

from wallet_lab.architectures.saga.topology import plan
from wallet_lab.stack.components import Component, Entry, Stack
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.request import Request

SECRETS = Credentials("owner-word", "service-word", "redis-word", "shared-word", "broker-word", "cookie-word")


def described(**request: object) -> Stack:
    """Return a stack on free ports."""
    ports = PortChooser(usual=False)
    return plan(Request.from_json(request), SECRETS, Path("/data"), ports).stack


def named(stack: Stack, name: str) -> Component:
    """Return the component of this name."""
    return next(component for component in stack.components if component.name == name)


@pytest.mark.parametrize("shards", [1, 2, 4])
def test_every_shard_has_a_database_and_a_worker_of_its_own(shards: int) -> None:
    """The worker of shard n connects to the database of shard n, with the role that owns nothing."""
    stack = described(shards=shards)
    for shard in range(shards):
        worker, database = named(stack, f"worker-{shard}"), named(stack, f"postgres-{shard}")
        assert worker.shard == database.shard == shard
        assert worker.env["WALLET_SHARD"] == str(shard)
        expected = f"postgresql://wallet_service:service-word@127.0.0.1:{database.port}/shard_{shard}"
        assert worker.env["WALLET_DATABASE_URL"] == f"{expected}?sslmode=disable"


def test_orchestrators_share_the_public_port_and_know_the_workers_in_shard_order() -> None:
    """The order in WALLET_WORKER_URLS is that of the shards' numbers."""
    stack = described(shards=2, replicas={"orchestrators": 2})
    urls = ",".join(named(stack, f"worker-{shard}").url for shard in range(2))
    pair = [named(stack, f"orchestrator-{number}") for number in range(2)]
    assert [one.env["WALLET_WORKER_URLS"] for one in pair] == [urls, urls]
    assert {one.env["WALLET_PUBLIC_PORT"] for one in pair} == {stack.base_url.rpartition(":")[2]}
    assert pair[0].port != pair[1].port
    assert stack.direct == Entry.at(stack.base_url)


def test_databases_start_before_migrations_before_workers_before_orchestrators() -> None:
    """Every component starts after the components that it needs."""
    first, second, third = described().stages
    assert {component.kind for component in first.components} == {"postgres", "redis"}
    assert [task.name for task in second.tasks] == ["migrations-0", "migrations-1"]
    assert {component.kind for component in second.components} == {"worker"}
    assert {component.kind for component in third.components} == {"orchestrator"}


def test_no_secret_is_on_a_command_line_or_in_a_repr() -> None:
    """No secret is on a command line or in a repr, because others can read command lines and logs contain reprs."""
    stack = described()
    commands = [*stack.components, *stack.stages[1].tasks]
    shown = " ".join(word for command in commands for word in command.argv) + repr(stack)
    assert not [word for word in ("owner-word", "service-word", "redis-word", "shared-word") if word in shown]


def test_extra_variables_reach_all_components_or_a_kind_or_one() -> None:
    """The most specific variable wins: by component name, then by kind, then "*"."""
    extra = {"*": {"A": "all", "B": "all"}, "worker": {"B": "kind"}, "worker-1": {"B": "name"}}
    stack = described(extra_env=extra)
    assert named(stack, "orchestrator-0").env["B"] == "all"
    assert named(stack, "worker-0").env["B"] == "kind"
    assert named(stack, "worker-1").env["B"] == "name"
    assert named(stack, "worker-1").env["A"] == "all"
