"""The requests that depend on a component of each architecture."""

import pytest

from wallet_kernel.slots import SLOTS, slot_of
from wallet_lab.architectures import find
from wallet_lab.architectures.bindings import ClientRequest

SHARDS = 2


def wallet(shard: int) -> str:
    """Return a wallet of this shard."""
    return next(name for n in range(100) if slot_of(name := f"load-{n}") * SHARDS // SLOTS == shard)


HERE, THERE = wallet(0), wallet(1)
PAYS_THERE = ClientRequest("transfer", THERE, THERE)
PAYS_HERE = ClientRequest("transfer", THERE, HERE)
READS_HERE, READS_THERE = ClientRequest("balance", HERE), ClientRequest("balance", THERE)
WAITS_HERE = ClientRequest("balance", HERE, has_position=True)
WAITS_THERE = ClientRequest("balance", THERE, has_position=True)
ALL = (PAYS_THERE, PAYS_HERE, READS_HERE, READS_THERE, WAITS_HERE, WAITS_THERE)


@pytest.mark.parametrize(
    ("architecture", "target", "bound"),
    [
        ("saga", "worker", (False, True, None, False, True, False)),
        ("saga", "postgres", (False, True, None, False, True, False)),
        ("saga", "orchestrator", (True,) * 6),
        ("saga", "redis", (True,) * 6),
        ("cqrs", "command", (True, True, False, False, False, False)),
        ("cqrs", "event-store", (True, True, False, False, False, False)),
        ("cqrs", "gateway", (True,) * 6),
        ("cqrs", "redis", (False, False, True, True, True, True)),
        ("cqrs", "relay", (False, False, False, False, True, True)),
        ("cqrs", "rabbitmq", (False, False, False, False, True, True)),
        ("cqrs", "projection", (False, False, False, False, True, True)),
        ("cqrs", "read-shard", (False, False, None, False, True, False)),
        ("cqrs", "query", (False, False, True, True, True, True)),
        ("acid", "service", (True,) * 6),
        ("two-phase", "postgres", (False, True, True, False, True, False)),
    ],
)
def test_requests_are_bound_to_the_components_of_their_usual_path(
    architecture: str, target: str, bound: tuple[bool | None, ...]
) -> None:
    """A request is bound to a component on its usual path; None means reads that a cache may answer."""
    (found,) = (one for one in find(architecture).targets if one.name == target)
    assert tuple(found.binds(request, SHARDS) for request in ALL) == bound


def test_one_database_is_on_the_path_of_every_request() -> None:
    """With one shard, its database takes part in every answer."""
    (postgres,) = (one for one in find("acid").targets if one.name == "postgres")
    assert all(postgres.binds(request, 1) for request in ALL)
