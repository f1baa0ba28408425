"""Runs a batch that contains bad items: the other items still succeed, in a bounded number of transactions."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg

ATTEMPTS_MAX = 64
"""Bound on the transactions of one batch. One bad item among 1,000 costs 20, three cost at most 60. If more items fail,
the items are probably not the cause, and the items without an attempt are not done."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class ItemAtFault(Exception):
    """An item of the batch cannot be decided or written. The batch was rolled back."""


def is_of_a_row(error: Exception) -> bool:
    """Returns whether a database's error is caused by the values of a row, and not by the whole system.

    A missing value (NOT NULL) is no such error: no service writes one, so the schema has a column that this version
    does not know.
    """
    of_a_row = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)
    return isinstance(error, of_a_row) and not isinstance(error, asyncpg.NotNullViolationError)


async def bisected(
    items: Sequence[Item], attempt: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], not_done: Result
) -> list[Result]:
    """Returns the results of a batch. Bisects it until each bad item is alone; the result of that item is `not_done`.

    `attempt` executes a part of the batch. It raises ItemAtFault if that part was rolled back.
    """
    results: list[Result] = []
    parts, attempts = [items], 0
    while parts:
        part = parts.pop()
        if attempts == ATTEMPTS_MAX:
            results += [not_done] * len(part)
            continue
        attempts += 1
        try:
            results += await attempt(part)
        except ItemAtFault:
            if len(part) == 1:
                results.append(not_done)
            else:
                parts += [part[len(part) // 2 :], part[: len(part) // 2]]
    return results
