"""Runs a batch that contains bad items: the other items still succeed, in a bounded number of transactions."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

ATTEMPTS_MAX = 64
"""Bound on the transactions of one batch. One bad item among 1,000 costs 20, three cost at most 60. If more items fail,
the items are probably not the cause, and the items without an attempt are not done."""

Item = TypeVar("Item")


class ItemAtFault(Exception):
    """An item of the batch cannot be decided or written. The batch was rolled back."""


async def bisected(
    batch: Sequence[Item],
    attempt: Callable[[Sequence[Item]], Awaitable[None]],
    give_up: Callable[[Sequence[Item]], None],
) -> None:
    """Bisects a batch until each bad item is alone. Calls `give_up` with each bad item.

    `attempt` executes a part of the batch. It raises ItemAtFault if that part was rolled back. `give_up` also gets the
    parts that are left after `ATTEMPTS_MAX` attempts.
    """
    parts, attempts = [batch], 0
    while parts:
        part = parts.pop()
        if attempts == ATTEMPTS_MAX:
            give_up(part)
            continue
        attempts += 1
        try:
            await attempt(part)
        except ItemAtFault:
            if len(part) == 1:
                give_up(part)
            else:
                parts += [part[len(part) // 2 :], part[: len(part) // 2]]
