"""Says which requests of clients depend on a component, so that a fault's effect is measured on those. Pure.

A request is bound to a component if the usual path to its answer leads through that component.
"""

from collections.abc import Callable
from typing import NamedTuple

from wallet_kernel.slots import SLOTS, slot_of


class ClientRequest(NamedTuple):
    """A client's request, as far as it decides which components take part in its answer."""

    operation: str
    """As in the relation `calls`, such as transfer or balance."""
    account: str
    """The wallet in the path, or the payer."""
    counterparty: str | None = None
    """The payee of a transfer."""
    has_position: bool = False
    """Whether it is a read that must show a certain write."""

    @property
    def is_write(self) -> bool:
        """Whether it asks to change a wallet."""
        return self.operation not in {"balance", "balance_at", "statement", "lookup"}


Binding = Callable[[ClientRequest, int], bool | None]
"""Whether a request is bound to a component of a stack with so many shards; None: only if a cache has no answer."""


def every_request(_request: ClientRequest, _shards: int) -> bool:
    """Bind all requests."""
    return True


def writes(request: ClientRequest, _shards: int) -> bool:
    """Bind the requests that change a wallet."""
    return request.is_write


def reads(request: ClientRequest, _shards: int) -> bool:
    """Bind the requests that read."""
    return not request.is_write


def reads_of_own_writes(request: ClientRequest, _shards: int) -> bool:
    """Bind the reads that wait until a certain write is visible. Other reads are answered, but from older data."""
    return request.has_position


def on_shard(shard: int) -> Binding:
    """Bind the requests about a wallet on this shard."""
    return lambda request, shards: shard in _shards_of(request, shards)


def behind_cache(binding: Binding) -> Binding:
    """Bind the same requests, except that a cache answers some of the reads without a position."""

    def bind(request: ClientRequest, shards: int) -> bool | None:
        is_cached = not request.is_write and not request.has_position
        return None if is_cached and binding(request, shards) else binding(request, shards)

    return bind


def both(first: Binding, second: Binding) -> Binding:
    """Bind the requests that both bind."""
    return lambda request, shards: bool(first(request, shards) and second(request, shards))


def _shards_of(request: ClientRequest, shards: int) -> set[int]:
    accounts = {request.account, request.counterparty} - {None, ""}
    return {slot_of(account) * shards // SLOTS for account in accounts if account}
