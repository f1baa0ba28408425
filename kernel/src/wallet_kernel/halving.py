"""A batch with an item at fault: the others are done all the same, in a bounded number of transactions."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg

ATTEMPTS_MAX = 64
"""Transactions that one batch may cost. One item at fault among 1,000 costs 20, three at most 60. If more items are at
fault, the error is probably not theirs, and the items without an attempt are not done."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class ItemAtFault(Exception):
    """An item of the batch cannot be decided or written; the batch was rolled back."""


def is_of_a_row(error: Exception) -> bool:
    """Whether a database's error is about the values of a row, and so not about all batches alike.

    A missing value is not: no service writes one, so the schema has a column that this version does not know.
    """
    of_a_row = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)
    return isinstance(error, of_a_row) and not isinstance(error, asyncpg.NotNullViolationError)


async def halved(
    items: Sequence[Item], attempt: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], not_done: Result
) -> list[Result]:
    """The results of a batch, which is halved until an item at fault is alone; that item is `not_done`.

    `attempt` does a part of the batch, or raises ItemAtFault and has done nothing.
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
