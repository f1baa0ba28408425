"""Batches with bad items."""

from collections.abc import Sequence

import asyncpg
import pytest

from wallet_kernel.bisection import ATTEMPTS_MAX, ItemAtFault, bisected, is_of_a_row

pytestmark = pytest.mark.anyio


class Attempts:
    """Doubles numbers, and refuses every part that contains a bad one."""

    def __init__(self, at_fault: set[int]) -> None:
        self._at_fault = at_fault
        self.count = 0

    async def __call__(self, part: Sequence[int]) -> list[int]:
        """One transaction."""
        self.count += 1
        if self._at_fault & set(part):
            raise ItemAtFault
        return [2 * item for item in part]


@pytest.mark.parametrize("at_fault", [set(), {0}, {999}, {17, 18, 500}])
async def test_faulty_items_fail_and_the_others_succeed(at_fault: set[int]) -> None:
    """Good items get their results, in the order of the items."""
    results = await bisected(range(1000), Attempts(at_fault), -1)
    assert results == [-1 if item in at_fault else 2 * item for item in range(1000)]


async def test_batch_of_faulty_items_costs_a_bounded_number_of_transactions() -> None:
    """A systematic error does not multiply the transactions by the size of the batch."""
    attempts = Attempts(set(range(1000)))
    assert await bisected(range(1000), attempts, -1) == [-1] * 1000
    assert attempts.count == ATTEMPTS_MAX


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (asyncpg.UniqueViolationError, True),
        (asyncpg.CheckViolationError, True),
        (asyncpg.CharacterNotInRepertoireError, True),
        (asyncpg.NotNullViolationError, False),
        (asyncpg.UndefinedColumnError, False),
        (asyncpg.InvalidCachedStatementError, False),
        (TypeError, False),
    ],
)
def test_only_errors_about_values_count_as_errors_of_a_row(error: type[Exception], *, expected: bool) -> None:
    """An error that every batch would cause is not the error of a row."""
    assert is_of_a_row(error("")) is expected
